"""The tables of a cancellation (domain §3.2): the opposite of everything that stands, and nothing else."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from proforma.runtime import Runtime
from tests.billing_backlog.cancellations.questions import ask, asked, outcomes
from tests.billing_backlog.confirmed import confirm, corrected, drafted, figures, zero
from tests.billing_backlog.scene import approve, entry, firm, items, ready, rows, violations
from tests.billing_backlog.terms import fixed_price
from tests.support.rows import POSTED

# (type, billing type, quantity, amount, status, adjustment)
LEDGER = (
    f"select type, billing_type, quantity, amount, billing_status, adjustment, cause from actuals order by {POSTED}"
)
APPROVE: dict[str, dict[str, Any]] = {
    "8 hours": {},
    "6 billable of 8": {"billable_quantity": "6"},
    "10 billable of 8": {"billable_quantity": "10"},
    "non-chargeable": {"billing_type": "non_chargeable"},
    "without a price": {"role": "poet"},
    "work that no line takes": {"project": "X"},
}


@pytest.fixture
async def runtime(runtime: Runtime) -> Runtime:
    await firm(runtime)
    return runtime


async def shown(runtime: Runtime) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in await rows(runtime, LEDGER)]


@pytest.mark.parametrize("case", APPROVE)
async def test_every_row_is_reversed(case: str, runtime: Runtime) -> None:
    await approve(runtime, entry(1, **APPROVE[case]))
    before = await shown(runtime)
    await ask(runtime, asked(1, project=APPROVE[case].get("project", "P1")))
    after = await shown(runtime)
    assert after[: len(before)] == [(*row[:4], "canceled", "adjusted", "approve") for row in before]
    opposite = [
        (*row[:2], -row[2], -row[3] if row[3] is not None else None, "canceled", "unadjustable", "cancel")
        for row in before
    ]
    assert after[len(before) :] == opposite
    assert await items(runtime) == []
    assert await outcomes(runtime) == ["reversed"]
    assert await violations(runtime) == []


async def test_of_a_fixed_price_line_only_the_cost_is_reversed(runtime: Runtime) -> None:
    await fixed_price(runtime)
    await approve(runtime, entry(1))
    await ask(runtime, asked())
    assert [row[2] for row in await shown(runtime)] == [8, -8]
    assert await violations(runtime) == []


async def test_after_a_full_credit_the_replacement_and_the_first_cost_are_reversed(runtime: Runtime) -> None:
    """While it is billed it is refused; the bill and its credit stay, what came back of it goes (domain §3.2)."""
    await ready(runtime, 1)
    (detail,) = await drafted(runtime)
    await confirm(runtime, [detail])
    await ask(runtime, asked())
    await confirm(runtime, [corrected(detail, zero(detail))], n=2, kind="corrective")
    before = await shown(runtime)
    await ask(runtime, asked(request=2))
    assert await outcomes(runtime) == ["refused", "reversed"]
    figures_before, after = Counter(row[:4] for row in before), await shown(runtime)
    assert not figures_before - Counter(row[:4] for row in after), "nothing that stood has other figures now"
    assert Counter(after) - Counter(before) == Counter(
        [
            ("cost", "chargeable", 8, 800, "canceled", "adjusted", "approve"),
            ("cost", "chargeable", -8, -800, "canceled", "unadjustable", "cancel"),
            ("unbilled_sales", "chargeable", 8, 1600, "canceled", "adjusted", "correct"),
            ("unbilled_sales", "chargeable", -8, -1600, "canceled", "unadjustable", "cancel"),
        ]
    )
    reversed_ = "select o.cause, o.type from actuals r join actuals o on o.id = r.reverses where r.cause = 'cancel'"
    assert {tuple(row.values()) for row in await rows(runtime, reversed_)} == {
        ("approve", "cost"), ("correct", "unbilled_sales"),
    }  # fmt: skip
    by_type = await rows(runtime, "select type, sum(quantity) as n from actuals group by type order by type")
    assert [(row["type"], row["n"]) for row in by_type] == [
        ("billed_sales", Decimal(0)), ("cost", Decimal(0)), ("unbilled_sales", Decimal(0)),
    ]  # fmt: skip
    assert await items(runtime) == []
    assert await violations(runtime) == []


async def test_a_partial_credit_keeps_the_approval(runtime: Runtime) -> None:
    await ready(runtime, 1)
    (detail,) = await drafted(runtime)
    await confirm(runtime, [detail])
    await confirm(runtime, [corrected(detail, figures("6", "200"))], n=2, kind="corrective")
    before = await shown(runtime)
    await ask(runtime, asked())
    assert await outcomes(runtime) == ["refused"]
    assert await shown(runtime) == before
