"""What a first invoice posts, row by row (domain §3.3 and §3.4 in the short form of design §4).

Cost 100 an hour, sales 200 an hour, 8 hours. Each case: what is confirmed, and the rows that it adds to the ledger.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from billing_backlog.journal_lines import service as journal_lines
from billing_backlog.journal_lines.schemas import JournalLineIn
from proforma.events.invoicing import ConfirmedDetail
from proforma.runtime import Runtime
from tests.billing_backlog.confirmed import by_hand, confirm, drafted, edited, figures, sourced_on_draft, written_off
from tests.billing_backlog.ledger.test_golden import LEDGER, Row, shown
from tests.billing_backlog.scene import LINE, Terms, all_ready, firm, items, ready, rows, violations
from tests.billing_backlog.terms import fixed_price

Details = Callable[[Runtime], Awaitable[list[ConfirmedDetail]]]
REVERSED: Row = ("unbilled_sales", "chargeable", "-8", "-1600", "canceled")


async def _item(runtime: Runtime) -> ConfirmedDetail:
    await ready(runtime, 1)
    (detail,) = await drafted(runtime)
    return detail


async def unchanged(runtime: Runtime) -> list[ConfirmedDetail]:
    return [await _item(runtime)]


async def reduced_and_written_off(runtime: Runtime) -> list[ConfirmedDetail]:
    detail = edited(await _item(runtime), figures("6", "200"), "write_off")
    return [detail, written_off(detail)]


async def reduced_and_returned(runtime: Runtime) -> list[ConfirmedDetail]:
    return [edited(await _item(runtime), figures("6", "200"), "return")]


async def raised(runtime: Runtime) -> list[ConfirmedDetail]:
    return [edited(await _item(runtime), figures("10", "200"))]


async def made_non_chargeable(runtime: Runtime) -> list[ConfirmedDetail]:
    return [edited(await _item(runtime), figures("8", "200", billing_type="non_chargeable"))]


async def made_complimentary(runtime: Runtime) -> list[ConfirmedDetail]:
    return [edited(await _item(runtime), figures("8", "200", billing_type="complimentary"))]


async def another_price(runtime: Runtime) -> list[ConfirmedDetail]:
    return [edited(await _item(runtime), figures("8", "150"))]


async def taxed(runtime: Runtime) -> list[ConfirmedDetail]:
    return [edited(await _item(runtime), figures("8", "200", tax="304.00"))]


async def hand_added_hours(runtime: Runtime) -> list[ConfirmedDetail]:
    return [by_hand(figures("3", "200"))]


async def hand_added_on_a_fixed_price(runtime: Runtime) -> list[ConfirmedDetail]:
    """Three hours beside a fixed price that no milestone covers."""
    await fixed_price(runtime)
    return [by_hand(figures("3", "200"))]


async def hand_added_fee(runtime: Runtime) -> list[ConfirmedDetail]:
    return [by_hand(figures("1", "300"), "fee")]


async def fee_of_a_journal(runtime: Runtime) -> list[ConfirmedDetail]:
    """Three fees of 100: revenue without a cost."""
    body = {"contract_line_id": LINE, "class": "fee", "date": "2026-02-02", "quantity": "3", "price": "100"}
    async with runtime.database.transaction() as session:
        await journal_lines.create(session, runtime.context(), {"": JournalLineIn.model_validate(body)})
    await all_ready(runtime)
    return await drafted(runtime)


async def milestone(runtime: Runtime) -> list[ConfirmedDetail]:
    return [await sourced_on_draft(runtime, "milestone", "1", "5000")]


async def product_line(runtime: Runtime) -> list[ConfirmedDetail]:
    return [await sourced_on_draft(runtime, "product", "10", "50")]


CASES: dict[str, tuple[Details, list[Row]]] = {
    "unchanged": (
        unchanged,
        [
            ("unbilled_sales", "chargeable", "-8", "-1600", "posted"),
            ("billed_sales", "chargeable", "8", "1600", "posted"),
        ],
    ),
    "draft quantity 8 to 6, the rest written off": (
        reduced_and_written_off,
        [
            REVERSED,
            ("billed_sales", "chargeable", "6", "1200", "posted"),
            ("billed_sales", "non_chargeable", "2", "400", "posted"),
        ],
    ),
    "draft quantity 8 to 6, the rest returned": (
        reduced_and_returned,
        [
            REVERSED,
            ("billed_sales", "chargeable", "6", "1200", "posted"),
            ("unbilled_sales", "chargeable", "2", "400", "unbilled"),
        ],
    ),
    "draft quantity 8 to 10": (raised, [REVERSED, ("billed_sales", "chargeable", "10", "2000", "posted")]),
    "draft type chargeable to non-chargeable": (
        made_non_chargeable,
        [REVERSED, ("billed_sales", "non_chargeable", "8", "1600", "posted")],
    ),
    "draft type chargeable to complimentary": (
        made_complimentary,
        [REVERSED, ("billed_sales", "complimentary", "8", "1600", "posted")],
    ),
    "price only: no remainder": (another_price, [REVERSED, ("billed_sales", "chargeable", "8", "1200", "posted")]),
    "tax only": (taxed, [REVERSED, ("billed_sales", "chargeable", "8", "1600", "posted")]),
    "hand-added 3 h × 200": (hand_added_hours, [("billed_sales", "chargeable", "3", "600", "posted")]),
    "hand-added 3 h on a fixed-price line": (
        hand_added_on_a_fixed_price,
        [("billed_sales", "chargeable", "3", "600", "posted")],
    ),
    "fee 300 added on the draft": (hand_added_fee, [("billed_sales", "chargeable", "1", "300", "posted")]),
    "fee 300 of a journal line": (
        fee_of_a_journal,
        [
            ("unbilled_sales", "chargeable", "-3", "-300", "posted"),
            ("billed_sales", "chargeable", "3", "300", "posted"),
        ],
    ),
    "milestone 5,000": (milestone, [("billed_sales", "chargeable", "1", "5000", "posted")]),
    "product line 10 × 50": (product_line, [("billed_sales", "chargeable", "10", "500", "posted")]),
}


@pytest.mark.parametrize("case", CASES)
async def test_confirm(case: str, runtime: Runtime) -> None:
    await firm(runtime, Terms(includes=("time", "fee")))
    details, expected = CASES[case]
    confirmed = await details(runtime)
    before = len(await rows(runtime, LEDGER))
    await confirm(runtime, confirmed)
    assert shown((await rows(runtime, LEDGER))[before:]) == expected
    assert (await rows(runtime, "select status, reason from postings")) == [{"status": "posted", "reason": None}]
    assert [item["billing_status"] for item in await items(runtime)] == [
        row[4] for row in expected if row[4] == "unbilled"
    ]
    assert await violations(runtime) == []


async def test_the_original_says_whether_it_was_billed_as_it_was(runtime: Runtime) -> None:
    await firm(runtime)
    await ready(runtime, 1, 2)
    same, changed = await drafted(runtime)
    await confirm(runtime, [same, edited(changed, figures("10", "200"))])
    first = "select billing_status, adjustment from actuals where cause = 'approve' and type = 'unbilled_sales'"
    assert sorted((row["billing_status"], row["adjustment"]) for row in await rows(runtime, first)) == [
        ("canceled", "adjusted"), ("posted", None),
    ]  # fmt: skip
    kept = "select distinct adjustment from actuals where reverses is not null"
    assert await rows(runtime, kept) == [{"adjustment": "unadjustable"}]


async def test_what_is_returned_can_be_billed_again_and_is_the_same_work(runtime: Runtime) -> None:
    await firm(runtime)
    await confirm(runtime, await reduced_and_returned(runtime))
    (rest,) = await items(runtime)
    assert (rest["quantity"], rest["entry_revision"], rest["role"]) == (Decimal(2), 1, "dev")
    await all_ready(runtime)
    again = await drafted(runtime)
    await confirm(runtime, again, n=2)
    billed = "select sum(quantity) as q, sum(amount) as a from actuals where type = 'billed_sales'"
    assert await rows(runtime, billed) == [{"q": Decimal(8), "a": Decimal(1600)}]
    assert await violations(runtime) == []
