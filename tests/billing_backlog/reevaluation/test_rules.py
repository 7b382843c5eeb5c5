"""What changes when lines or rates have changed, row by row."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_backlog.entries.rules import Line, Work, rows_for
from billing_backlog.pricing.rules import Priced
from billing_backlog.reevaluation.rules import Posted, change_of

LINE = Line(UUID(int=1), UUID(int=2), "P", None, frozenset({"time"}), None, None, "EUR", (), None)
OTHER = replace(LINE, id=UUID(int=3))
FIXED = replace(LINE, billing_method="fixed_price")
WORK = Work("time", "P", None, "dev", date(2026, 2, 2), Decimal(8), Decimal(8), None)
SALES, COST = Priced(Decimal(200), "EUR"), Priced(Decimal(100), "EUR")
DEARER = Priced(Decimal(220), "EUR")
NO_PRICE = Priced(None, None, unpriced="no_price")


def posted(line: Line | None, work: Work = WORK, sales: Priced = SALES, **changes: object) -> list[Posted]:
    """What stands of the work once it was approved under the line."""
    return [
        replace(
            Posted(
                UUID(int=100 + n), row.type, line.contract_id if line else None, "unbilled", None, row.billing_type,
                row.quantity, row.price, row.amount, row.currency, line.id if line else None, row.unpriced, False,
                False,
            ),
            **changes,  # type: ignore[arg-type]
        )
        for n, row in enumerate(rows_for(work, line, sales if line else None, COST))
    ]  # fmt: skip


CASES: dict[str, tuple[Line | None, Line | None, Priced, str, list[tuple[str, int]], str]] = {
    "cost only, now on a line": (
        None, LINE, SALES, "to_line", [("cost", -8), ("cost", 8), ("unbilled_sales", 8)], "re-evaluate",
    ),
    "on a line, now on none": (
        LINE, None, SALES, "off_line", [("cost", -8), ("unbilled_sales", -8), ("cost", 8)], "re-evaluate",
    ),
    "on a line, now at a fixed price": (
        LINE, FIXED, SALES, "off_line", [("cost", -8), ("unbilled_sales", -8), ("cost", 8)], "re-evaluate",
    ),
    "another line": (
        LINE, OTHER, SALES, "other_line",
        [("cost", -8), ("unbilled_sales", -8), ("cost", 8), ("unbilled_sales", 8)], "re-evaluate",
    ),
    "another price": (LINE, LINE, DEARER, "price", [("unbilled_sales", -8), ("unbilled_sales", 8)], "re-price"),
    "a price that is gone": (
        LINE, LINE, NO_PRICE, "price", [("unbilled_sales", -8), ("unbilled_sales", 8)], "re-price",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_rows_of_each_change(case: str) -> None:
    before, after, sales, kind, expected, cause = CASES[case]
    change = change_of(posted(before), after, rows_for(WORK, after, sales if after else None, COST), sales)
    assert change is not None
    moved = [(row.type, -int(row.quantity)) for row in change.old] + [
        (row.type, int(row.quantity)) for row in change.new
    ]
    assert sorted(moved) == sorted(expected)
    assert (change.kind, change.cause) == (kind, cause)


def test_only_what_differs_is_replaced() -> None:
    cost_only = change_of(posted(LINE), LINE, rows_for(WORK, LINE, SALES, Priced(Decimal(90), "EUR")), SALES)
    assert cost_only is not None
    assert (cost_only.kind, [row.type for row in cost_only.old]) == ("cost", ["cost"])
    free = replace(LINE, non_chargeable_roles=frozenset({"dev"}))
    typed = change_of(posted(LINE), free, rows_for(WORK, free, SALES, COST), SALES)
    assert typed is not None
    assert (typed.kind, typed.replaced()[1][1]) == ("billing_type", UUID(int=101))
    more = replace(WORK, billable_quantity=Decimal(10))
    grown = change_of(posted(LINE), LINE, rows_for(more, LINE, SALES, COST), SALES)
    assert grown is not None
    assert grown.kind == "quantity"


@given(st.sampled_from([None, LINE, FIXED]), st.sampled_from([0, 6, 8, 10]), st.sampled_from([SALES, NO_PRICE]))
def test_what_is_as_it_would_be_posted_is_not_touched(line: Line | None, billable: int, sales: Priced) -> None:
    work = replace(WORK, billable_quantity=Decimal(billable))
    rows = rows_for(work, line, sales if line else None, COST)
    assert change_of(posted(line, work, sales), line, rows, sales) is None


def test_a_type_set_by_hand_stays_and_takes_the_new_price() -> None:
    old = [replace(row, hand_set=True, billing_type="complimentary") for row in posted(LINE)[1:]]
    old = [*posted(LINE)[:1], *old]
    assert change_of(old, LINE, rows_for(WORK, LINE, SALES, COST), SALES) is None
    dearer = change_of(old, LINE, rows_for(WORK, LINE, DEARER, COST), DEARER)
    assert dearer is not None
    assert [(row.billing_type, row.amount) for row in dearer.new] == [("complimentary", Decimal(1760))]


def test_what_a_closed_contract_ended_stays_where_it_is() -> None:
    old = posted(LINE, contract_closed=True)[:1]
    assert change_of(old, None, rows_for(WORK, None, None, COST), None) is None
    assert change_of(old, OTHER, rows_for(WORK, OTHER, SALES, COST), SALES) is None
    assert change_of([], LINE, rows_for(WORK, LINE, SALES, COST), SALES) is None
