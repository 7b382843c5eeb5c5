"""What a corrective posts, row by row (domain §3.5 in the short form of design §4): the invoice billed 8 h, 1,600.

Each case: how the first invoice was made, what is right, the rows that the corrective adds, and what is open then.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from proforma.events.invoicing import ConfirmedDetail, DetailFigures
from proforma.runtime import Runtime
from tests.billing_backlog.billing.test_golden import (
    _item,
    fee_of_a_journal,
    hand_added_hours,
    made_non_chargeable,
    milestone,
    product_line,
    reduced_and_written_off,
    unchanged,
)
from tests.billing_backlog.confirmed import confirm, corrected, drafted, figures, zero
from tests.billing_backlog.ledger.test_golden import LEDGER, Row, shown
from tests.billing_backlog.scene import CONTRACT, Terms, all_ready, firm, items, ready, rows, violations
from tests.support.rows import change

Details = Callable[[Runtime], Awaitable[list[ConfirmedDetail]]]
Now = Callable[[ConfirmedDetail], DetailFigures]
Open = tuple[str, str, str, str]
TAKEN_BACK: Row = ("billed_sales", "chargeable", "-8", "-1600", "canceled")


def to(quantity: str, price: str = "200", **more: Any) -> Now:
    return lambda _: figures(quantity, price, **more)


CASES: dict[str, tuple[Details, Now, list[Row], list[Open]]] = {
    "full credit: the quantity stays 0": (
        unchanged, zero,
        [TAKEN_BACK, ("unbilled_sales", "chargeable", "8", "1600", "unbilled")],
        [("backlog", "8", "1600", "unbilled")],
    ),
    "down to 6": (
        unchanged, to("6"),
        [
            TAKEN_BACK, ("billed_sales", "chargeable", "6", "1200", "posted"),
            ("unbilled_sales", "chargeable", "2", "400", "unbilled"),
        ],
        [("backlog", "2", "400", "unbilled")],
    ),
    "up to 10": (unchanged, to("10"), [TAKEN_BACK, ("billed_sales", "chargeable", "10", "2000", "posted")], []),
    "another price: nothing comes back": (
        unchanged, to("8", "150"), [TAKEN_BACK, ("billed_sales", "chargeable", "8", "1200", "posted")], [],
    ),
    "another tax alone": (
        unchanged, to("8", tax="304.00"), [TAKEN_BACK, ("billed_sales", "chargeable", "8", "1600", "posted")], [],
    ),
    "what was billed as non-chargeable comes back so": (
        made_non_chargeable, zero,
        [
            ("billed_sales", "non_chargeable", "-8", "-1600", "canceled"),
            ("unbilled_sales", "non_chargeable", "8", "1600", "unbilled"),
        ],
        [("backlog", "8", "1600", "unbilled")],
    ),
    "fee of a journal line, in full: as time": (
        fee_of_a_journal, zero,
        [
            ("billed_sales", "chargeable", "-3", "-300", "canceled"),
            ("unbilled_sales", "chargeable", "3", "300", "unbilled"),
        ],
        [("backlog", "3", "300", "unbilled")],
    ),
    "fee of a journal line, in part: as time": (
        fee_of_a_journal, to("1", "100"),
        [
            ("billed_sales", "chargeable", "-3", "-300", "canceled"),
            ("billed_sales", "chargeable", "1", "100", "posted"),
            ("unbilled_sales", "chargeable", "2", "200", "unbilled"),
        ],
        [("backlog", "2", "200", "unbilled")],
    ),
    "added by hand: nothing comes back": (
        hand_added_hours, zero, [("billed_sales", "chargeable", "-3", "-600", "canceled")], [],
    ),
    "added by hand, down to 2": (
        hand_added_hours, to("2"),
        [
            ("billed_sales", "chargeable", "-3", "-600", "canceled"),
            ("billed_sales", "chargeable", "2", "400", "posted"),
        ],
        [],
    ),
    "milestone credit: the same one again": (
        milestone, zero, [("billed_sales", "chargeable", "-1", "-5000", "canceled")],
        [("milestone", "1", "5000", "unbilled")],
    ),
    "milestone credited in part: it is two": (
        milestone, to("1", "3000"),
        [
            ("billed_sales", "chargeable", "-1", "-5000", "canceled"),
            ("billed_sales", "chargeable", "1", "3000", "posted"),
        ],
        [("milestone", "1", "2000", "unbilled")],
    ),
    "product line credit: the same one again": (
        product_line, zero, [("billed_sales", "chargeable", "-10", "-500", "canceled")],
        [("product", "10", "500", "unbilled")],
    ),
    "product line credited in part: it is two": (
        product_line, to("10", "30"),
        [
            ("billed_sales", "chargeable", "-10", "-500", "canceled"),
            ("billed_sales", "chargeable", "10", "300", "posted"),
        ],
        [("product", "10", "200", "unbilled")],
    ),
}  # fmt: skip


async def _open(runtime: Runtime) -> list[Open]:
    return [
        (one["source"], f"{one['quantity'].normalize():f}", f"{one['amount'].normalize():f}", one["billing_status"])
        for one in await items(runtime)
    ]


@pytest.mark.parametrize("case", CASES)
async def test_correct(case: str, runtime: Runtime) -> None:
    await firm(runtime, Terms(includes=("time", "fee")))
    made, now, expected, open_now = CASES[case]
    (original,) = await made(runtime)
    (first,) = await confirm(runtime, [original])
    before = len(await rows(runtime, LEDGER))
    await confirm(runtime, [corrected(original, now(original))], n=2, kind="corrective", original_id=first.invoice_id)
    assert shown((await rows(runtime, LEDGER))[before:]) == expected
    assert await _open(runtime) == open_now
    assert [row["status"] for row in await rows(runtime, "select status from postings")] == ["posted", "posted"]
    replaced = "select adjustment from actuals where invoice_id = $1 and type = 'billed_sales'"
    assert await rows(runtime, replaced, first.invoice_id) == [{"adjustment": "adjusted"}]
    assert await violations(runtime) == []


async def test_what_is_taken_off_a_corrective_has_no_rows(runtime: Runtime) -> None:
    """Of two details one was removed from the corrective: its billing stands as it was (domain §3.5, "removed")."""
    await firm(runtime)
    await ready(runtime, 1, 2)
    first, second = await drafted(runtime)
    await confirm(runtime, [first, second])
    before = await rows(runtime, "select * from actuals order by id")
    await confirm(runtime, [corrected(first, zero(first))], n=2, kind="corrective")
    after = await rows(runtime, "select * from actuals order by id")
    assert shown(after[len(before) :]) == [TAKEN_BACK, ("unbilled_sales", "chargeable", "8", "1600", "unbilled")]
    removed = [row for row in before if row["invoice_detail_id"] == second.detail_id]
    assert [row for row in after if row["invoice_detail_id"] == second.detail_id] == removed
    assert await violations(runtime) == []


async def test_both_parts_of_a_reduced_detail_can_be_credited(runtime: Runtime) -> None:
    await firm(runtime)
    kept, off = await reduced_and_written_off(runtime)
    await confirm(runtime, [kept, off])
    await confirm(runtime, [corrected(kept, zero(kept)), corrected(off, zero(off))], n=2, kind="corrective")
    assert [(one["quantity"], one["billing_type"]) for one in await items(runtime)] == [
        (Decimal(6), "chargeable"), (Decimal(2), "non_chargeable"),
    ]  # fmt: skip
    assert await violations(runtime) == []


async def test_a_corrective_is_corrected_and_what_came_back_is_billed_again(runtime: Runtime) -> None:
    """Full credit followed by a new invoice is the original invoice again (domain §5.6, 11)."""
    await firm(runtime)
    original = await _item(runtime)
    await confirm(runtime, [original])
    down = corrected(original, figures("6", "200"))
    await confirm(runtime, [down], n=2, kind="corrective")
    nothing = corrected(down, zero(down), n=2)
    await confirm(runtime, [nothing], n=3, kind="corrective")
    assert await _open(runtime) == [("backlog", "6", "1200", "unbilled"), ("backlog", "2", "400", "unbilled")]
    await all_ready(runtime)
    await confirm(runtime, await drafted(runtime), n=4)
    billed = "select sum(quantity) as q, sum(amount) as a from actuals where type = 'billed_sales'"
    assert await rows(runtime, billed) == [{"q": Decimal(8), "a": Decimal(1600)}]
    assert await violations(runtime) == []


async def test_a_correction_that_matches_nothing_blocks_and_a_repeat_does_nothing(runtime: Runtime) -> None:
    await firm(runtime)
    original = await _item(runtime)
    await confirm(runtime, [original])
    credit = corrected(original, zero(original))
    await confirm(runtime, [credit], n=2, kind="corrective")
    before = await rows(runtime, "select * from actuals order by id")
    await confirm(runtime, [credit], n=2, kind="corrective")
    await confirm(runtime, [corrected(original, zero(original), n=2)], n=3, kind="corrective")
    assert await rows(runtime, "select * from actuals order by id") == before
    blocked = await rows(runtime, "select reason from posting_blocked")
    assert blocked == [
        {"reason": f"detail {original.detail_id}, which it corrects, is not billed any more, or with other figures"}
    ]
    assert await violations(runtime) == []


async def test_what_comes_back_to_a_closed_contract_is_canceled(runtime: Runtime) -> None:
    await firm(runtime)
    work, done = await _item(runtime), (await milestone(runtime))[0]
    await confirm(runtime, [work, done])
    await change(runtime, "update contracts set status = 'closed' where id = $1", CONTRACT)
    await confirm(runtime, [corrected(work, zero(work)), corrected(done, zero(done))], n=2, kind="corrective")
    assert await items(runtime) == []
    left = "select sum(quantity) as q from actuals where type <> 'cost'"
    assert await rows(runtime, left) == [{"q": Decimal(0)}]
    assert await violations(runtime) == []
