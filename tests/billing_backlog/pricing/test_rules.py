"""Which rate is found, and what price it makes."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_backlog.pricing.rules import (
    ExchangeRate,
    Priced,
    PriceList,
    Rate,
    RateKey,
    Wanted,
    cost_price,
    find_rate,
    marked_up,
    sales_price,
)

DAY = date(2026, 2, 2)
EXPENSE = Wanted("expense", "travel", "ann", "each", DAY, Decimal(1), Decimal(250), "EUR")
TIME = Wanted("time", "dev", "ann", "hour", DAY, Decimal(8))
COST = Priced(Decimal(250), "EUR")


def of(n: int, price: str = "1") -> Rate:
    return Rate(UUID(int=n), "per_unit", Decimal(price))


AT_COST = Rate(UUID(int=1), "at_cost")


def price_list(rates: dict[RateKey, Rate], n: int = 1, **changes: object) -> PriceList:
    made = PriceList(UUID(int=n), "EUR", None, None, datetime(2026, 1, n, tzinfo=UTC), rates)
    return replace(made, **changes)  # type: ignore[arg-type]


MOST_SPECIFIC: list[RateKey] = [
    ("expense", "travel", "ann", "each"),
    ("expense", "travel", None, "each"),
    ("expense", None, "ann", "each"),
    ("expense", None, None, "each"),
]


@pytest.mark.parametrize("first", range(len(MOST_SPECIFIC)))
def test_the_most_specific_rate_wins(first: int) -> None:
    rates = {key: of(n) for n, key in enumerate(MOST_SPECIFIC) if n >= first}
    found = find_rate(EXPENSE, [price_list(rates)])
    assert found is not None
    assert found[1].id == UUID(int=first)


@pytest.mark.parametrize(
    "key",
    [
        ("expense", "travel", None, "km"),
        ("expense", "hotel", None, "each"),
        ("expense", "travel", "bob", "each"),
        ("material", "travel", None, "each"),
    ],
)
def test_another_unit_category_resource_or_class_is_no_rate(key: RateKey) -> None:
    assert find_rate(EXPENSE, [price_list({key: of(1)})]) is None


def test_time_has_no_rate_without_its_role_and_written_in_material_none_with_a_product() -> None:
    any_role = price_list({("time", None, None, "hour"): of(1)})
    assert find_rate(TIME, [any_role]) is None
    written_in = replace(EXPENSE, item_class="material", key=None)
    assert find_rate(written_in, [price_list({("material", "CABLE", None, "each"): of(1)})]) is None
    assert find_rate(written_in, [price_list({("material", None, None, "each"): of(1)})]) is not None


def test_the_list_that_holds_on_the_day() -> None:
    key = ("time", "dev", None, "hour")
    january = price_list({key: of(1)}, 1, valid_to=date(2026, 2, 1))
    february = price_list({key: of(2)}, 2, valid_from=DAY, valid_to=DAY)
    found = find_rate(TIME, [january, february])
    assert found is not None
    assert found[1].id == UUID(int=2)
    assert find_rate(replace(TIME, date=date(2026, 2, 3)), [january, february]) is None


@pytest.mark.parametrize(
    ("rate", "price"),
    [
        (of(1, "200"), "200"),
        (AT_COST, "250"),
        (Rate(UUID(int=1), "markup", None, Decimal(10)), "275"),
        (Rate(UUID(int=1), "markup", None, Decimal("0.0001")), "250.0003"),
    ],
)
def test_per_unit_at_cost_and_markup(rate: Rate, price: str) -> None:
    found = sales_price(EXPENSE, "EUR", [price_list({("expense", "travel", None, "each"): rate})], COST, {})
    assert found == Priced(found.price, "EUR", rate.id)
    assert found.price == Decimal(price)


def test_a_cost_in_another_currency_is_converted_once_or_says_that_it_cannot() -> None:
    lists = [price_list({("expense", None, None, "each"): AT_COST})]
    cost = Priced(Decimal("99.99"), "USD")
    exchange = {("USD", "EUR", DAY): ExchangeRate(UUID(int=9), Decimal("0.91234567"))}
    found = sales_price(EXPENSE, "EUR", lists, cost, exchange)
    assert found == Priced(Decimal("91.2254"), "EUR", UUID(int=1), UUID(int=9))
    missing = sales_price(EXPENSE, "EUR", lists, cost, {})
    assert missing == Priced(None, None, UUID(int=1), unpriced="no_exchange_rate")


def test_without_a_rate_or_a_cost_there_is_no_price_and_never_zero() -> None:
    assert sales_price(EXPENSE, "EUR", [], COST, {}) == Priced(None, None, unpriced="no_price")
    at_cost = [price_list({("expense", None, None, "each"): AT_COST})]
    unknown = Priced(None, None, unpriced="no_price")
    assert sales_price(EXPENSE, "EUR", at_cost, unknown, {}).unpriced == "no_price"
    assert cost_price(replace(EXPENSE, unit_cost=None), None, []).price is None


def test_what_is_too_large_to_be_written_down_is_not_priced() -> None:
    lists = [price_list({("expense", None, None, "each"): of(1, "1000000000")})]
    assert sales_price(replace(EXPENSE, quantity=Decimal(1000)), "EUR", lists, COST, {}).price == 1_000_000_000
    assert sales_price(replace(EXPENSE, quantity=Decimal(1001)), "EUR", lists, COST, {}).unpriced == "no_price"


def test_time_costs_what_the_contracts_own_list_says_and_else_the_newest() -> None:
    key = ("time", "dev", None, "hour")
    own, newer = price_list({key: of(1, "1")}, 1), price_list({key: of(2, "2")}, 2)
    ann = price_list({("time", "dev", "ann", "hour"): of(3, "3"), key: of(4, "4")}, 3)
    assert cost_price(TIME, own.id, [newer, own]).price == 1
    assert cost_price(TIME, None, [own, newer]).price == 2
    assert cost_price(TIME, None, [ann, own, newer]).price == 3
    assert cost_price(replace(TIME, resource="bob"), None, [ann, own]).price == 4


def test_expense_and_material_cost_what_their_entry_says() -> None:
    assert cost_price(EXPENSE, None, []) == Priced(Decimal(250), "EUR")


@given(
    st.decimals("0", "1000000000", places=4),
    st.decimals("0", "1000", places=4),
    st.decimals("0.00000001", "1000000000", places=8),
)
def test_a_price_is_rounded_once_half_up(cost: Decimal, percent: Decimal, exchange: Decimal) -> None:
    exact = Fraction(cost) * (100 + Fraction(percent)) / 100 * Fraction(exchange)
    wanted = int(exact * 10_000 + Fraction(1, 2))
    found = marked_up(cost, percent, exchange)
    assert int(found.scaleb(4).to_integral_value(ROUND_HALF_UP)) == wanted
