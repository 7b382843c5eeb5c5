"""The tables of a cancellation (domain §3.2): the opposite of everything that stands, and nothing else."""

from decimal import Decimal
from typing import Any

import pytest

from billing_backlog.worker import HANDLERS
from proforma.runtime import Runtime
from tests.billing_backlog.cancellations.questions import ask, asked, outcomes
from tests.billing_backlog.scene import (
    approve,
    claimed,
    confirmation,
    entry,
    firm,
    items,
    ready,
    rows,
    run,
    violations,
)
from tests.billing_backlog.terms import fixed_price
from tests.support.events import deliver
from tests.support.rows import POSTED, change

# (type, billing type, quantity, amount, status, adjustment)
LEDGER = (
    f"select type, billing_type, quantity, amount, billing_status, adjustment, cause from actuals order by {POSTED}"
)
CREDITED = """
insert into actuals (id, type, class, billing_type, cause, date, accounting_date, posted_at, posted_by, quantity, unit,
  price, amount, tax, currency, contract_id, contract_line_id, entry_id, entry_revision, project, resource, reverses,
  adjustment, billing_status)
select gen_random_uuid(), type, class, billing_type, 'correct', date, accounting_date, posted_at, posted_by, -quantity,
  unit, price, -amount, -tax, currency, contract_id, contract_line_id, entry_id, entry_revision, project, resource, id,
  'unadjustable', 'posted'
from actuals where type = 'billed_sales'
"""
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


async def test_after_a_full_credit_what_came_back_is_reversed_and_what_was_billed_stays(runtime: Runtime) -> None:
    await ready(runtime, 1)
    await run(runtime)
    await deliver(runtime, HANDLERS, *confirmation(await claimed(runtime)))
    await ask(runtime, asked())
    assert await outcomes(runtime) == ["refused"]
    await change(runtime, CREDITED)
    await ask(runtime, asked(request=2))
    assert await outcomes(runtime) == ["refused", "reversed"]
    by_type = await rows(runtime, "select type, sum(quantity) as n from actuals group by type order by type")
    assert [(row["type"], row["n"]) for row in by_type] == [
        ("billed_sales", Decimal(0)), ("cost", Decimal(0)), ("unbilled_sales", Decimal(0)),
    ]  # fmt: skip
    assert await rows(runtime, "select 1 from actuals where cause = 'cancel' and type <> 'cost'") == []
