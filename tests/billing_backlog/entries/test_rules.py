"""The laws of an approval, over any quantities and prices."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from billing_backlog.entries.rules import Line, PriceList, Rate, Work, cost_rate, line_for, rows_for, sales_rate
from proforma.money import amount_of

QUANTITIES = st.decimals("0.01", "1000000", places=2)
PRICES = st.decimals("0", "1000000", places=4)
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "CLF"])
LINE = Line(UUID(int=1), UUID(int=2), "P", None, frozenset({"time"}), None, None, "EUR", (UUID(int=3),), UUID(int=4))


def work(quantity: Decimal = Decimal(8), billable: Decimal | None = None, billing_type: str | None = None) -> Work:
    return Work(
        "time", "P", "T", "dev", date(2026, 2, 2), quantity, quantity if billable is None else billable, billing_type
    )


@given(QUANTITIES, st.decimals("0", "1000000", places=2), PRICES, CURRENCIES)
def test_unbilled_rows_hold_the_billable_quantity_and_add_up(
    quantity: Decimal, billable: Decimal, price: Decimal, currency: str
) -> None:
    rate = Rate(UUID(int=9), price, currency)
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
    for row in rows_for(work(quantity, billing_type=billing_type), LINE, None, None):
        assert (row.price, row.amount, row.currency, row.rate_id) == (None, None, None, None)


def test_work_that_no_line_takes_is_cost_only() -> None:
    (row,) = rows_for(work(), None, None, None)
    assert (row.type, row.billing_type) == ("cost", None)


def test_a_line_takes_its_project_class_tasks_and_dates() -> None:
    def line(**changes: object) -> Line:
        given = {name: getattr(LINE, name) for name in LINE.__slots__} | changes
        return Line(**given)

    assert line_for(work(), [LINE]) is LINE
    assert line_for(work(), [line(project="Q")]) is None
    assert line_for(work(), [line(includes=frozenset({"expense"}))]) is None
    assert line_for(work(), [line(tasks=frozenset({"U"}))]) is None
    assert line_for(work(), [line(tasks=frozenset({"T"}))]) is not None
    assert line_for(work(), [line(valid_from=date(2026, 2, 3))]) is None
    assert line_for(work(), [line(valid_to=date(2026, 2, 1))]) is None
    assert line_for(work(), [line(valid_from=date(2026, 2, 2), valid_to=date(2026, 2, 2))]) is not None


def price_list(n: int, price: str, valid_from: date | None = None, valid_to: date | None = None) -> PriceList:
    rates = {("time", "dev"): Rate(UUID(int=100 + n), Decimal(price), "EUR")}
    return PriceList(UUID(int=n), "EUR", valid_from, valid_to, datetime(2026, 1, n, tzinfo=UTC), rates)


def test_the_sales_rate_is_of_the_list_that_holds_on_the_day() -> None:
    january = price_list(3, "10", valid_to=date(2026, 1, 31))
    assert sales_rate(work(), LINE, {january.id: january}) is None
    always = price_list(3, "20")
    found = sales_rate(work(), LINE, {always.id: always})
    assert found is not None
    assert found.price == 20


def test_the_contracts_own_cost_list_comes_first_and_else_the_newest() -> None:
    own, older, newer = price_list(4, "1"), price_list(5, "2"), price_list(6, "3")
    for line, price in ((LINE, 1), (None, 3)):
        found = cost_rate(work(), line, [older, own, newer])
        assert found is not None
        assert found.price == price
