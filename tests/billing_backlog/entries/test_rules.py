"""The laws of an approval, over any quantities and prices."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_backlog.entries.rules import Line, Work, line_for, rows_for
from billing_backlog.pricing.rules import Priced
from proforma.money import amount_of

QUANTITIES = st.decimals("0.01", "1000000", places=2)
PRICES = st.decimals("0", "1000000", places=4)
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "CLF"])
LINE = Line(UUID(int=1), UUID(int=2), "P", None, frozenset({"time"}), None, None, "EUR", (UUID(int=3),), UUID(int=4))
NOTHING = Priced(None, None, unpriced="no_price")


def work(quantity: Decimal = Decimal(8), billable: Decimal | None = None, billing_type: str | None = None) -> Work:
    return Work(
        "time", "P", "T", "dev", date(2026, 2, 2), quantity, quantity if billable is None else billable, billing_type
    )


@given(QUANTITIES, st.decimals("0", "1000000", places=2), PRICES, CURRENCIES)
def test_unbilled_rows_hold_the_billable_quantity_and_add_up(
    quantity: Decimal, billable: Decimal, price: Decimal, currency: str
) -> None:
    rate = Priced(price, currency, UUID(int=9))
    cost, *unbilled = rows_for(work(quantity, billable), LINE, rate, rate)
    assert cost.quantity == quantity
    assert cost.amount == amount_of(quantity, price, currency)
    whole = max(quantity, billable)
    assert sum(row.quantity for row in unbilled) == whole
    assert sum(row.amount or 0 for row in unbilled) == amount_of(whole, price, currency)
    chargeable = sum(row.quantity for row in unbilled if row.billing_type == "chargeable")
    assert chargeable == billable
    assert all(row.quantity > 0 for row in unbilled)


@given(QUANTITIES, st.sampled_from(["chargeable", "non_chargeable", "complimentary", None]))
def test_without_a_rate_there_is_no_amount_and_never_zero(quantity: Decimal, billing_type: str | None) -> None:
    cost, sales = rows_for(work(quantity, billing_type=billing_type), LINE, NOTHING, NOTHING)
    for row in (cost, sales):
        assert (row.price, row.amount, row.currency, row.rate_id) == (None, None, None, None)
    assert (cost.unpriced, sales.unpriced) == (None, "no_price")


@pytest.mark.parametrize("line", [None, replace(LINE, billing_method="fixed_price")])
def test_work_on_a_fixed_price_line_or_on_none_only_costs(line: Line | None) -> None:
    (row,) = rows_for(work(), line, None, Priced(Decimal(100), "EUR"))
    assert (row.type, row.billing_type, row.amount) == ("cost", None, Decimal(800))


def test_a_line_takes_its_project_class_tasks_and_dates() -> None:
    def line(**changes: object) -> Line:
        return replace(LINE, **changes)  # type: ignore[arg-type]

    assert line_for(work(), [LINE]) is LINE
    assert line_for(work(), [line(project="Q")]) is None
    assert line_for(work(), [line(includes=frozenset({"expense"}))]) is None
    assert line_for(work(), [line(tasks=frozenset({"U"}))]) is None
    assert line_for(work(), [line(tasks=frozenset({"T"}))]) is not None
    assert line_for(work(), [line(valid_from=date(2026, 2, 3))]) is None
    assert line_for(work(), [line(valid_to=date(2026, 2, 1))]) is None
    assert line_for(work(), [line(valid_from=date(2026, 2, 2), valid_to=date(2026, 2, 2))]) is not None


@pytest.mark.parametrize(
    ("entry_class", "approved", "says", "expected"),
    [
        ("time", None, {}, "chargeable"),
        ("time", None, {"non_chargeable_roles": frozenset({"dev"})}, "non_chargeable"),
        ("time", None, {"non_chargeable_roles": frozenset({"qa"})}, "chargeable"),
        ("expense", None, {"non_chargeable_roles": frozenset({"dev"})}, "chargeable"),
        ("expense", None, {"non_chargeable_categories": frozenset({"travel"})}, "non_chargeable"),
        ("material", None, {"non_chargeable_categories": frozenset({"travel"})}, "chargeable"),
        ("material", None, {"non_chargeable_tasks": frozenset({"T"})}, "non_chargeable"),
        ("time", None, {"non_chargeable_tasks": frozenset({"T"})}, "non_chargeable"),
        ("time", "chargeable", {"non_chargeable_roles": frozenset({"dev"})}, "chargeable"),
        ("time", "complimentary", {"non_chargeable_tasks": frozenset({"T"})}, "complimentary"),
    ],
)
def test_the_approvers_word_wins_then_role_category_and_task(
    entry_class: str, approved: str | None, says: dict[str, frozenset[str]], expected: str
) -> None:
    one = replace(work(billing_type=approved), entry_class=entry_class, category="travel")
    line = replace(LINE, includes=frozenset({entry_class}), **says)  # type: ignore[arg-type]
    assert line.billing_type(one) == expected
