"""Rules of price lists."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_backlog.price_lists.rules import RateKey, method_errors, repeated_rates, unfit_for

maybe = st.sampled_from([None, "a"])
keys = st.lists(
    st.tuples(st.sampled_from(["time", "expense"]), maybe, maybe, maybe, maybe, st.sampled_from(["each", "km"])),
    max_size=8,
)
FIGURE = st.sampled_from([None, Decimal(0), Decimal(5)])


@given(keys)
def test_every_rate_but_the_first_for_its_work_is_repeated(rates: list[RateKey]) -> None:
    expected = [(n, rates.index(key)) for n, key in enumerate(rates) if rates.index(key) < n]
    assert repeated_rates(rates) == expected


@given(st.sampled_from(["per_unit", "at_cost", "markup"]), FIGURE, FIGURE)
def test_a_rate_has_its_methods_figure_and_no_other(
    method: str, price: Decimal | None, percent: Decimal | None
) -> None:
    wanted = {"per_unit": (True, False), "at_cost": (False, False), "markup": (False, True)}[method]
    given_ = (price is not None, percent is not None)
    names = [name for name, a, b in zip(("price", "markup_percent"), wanted, given_, strict=True) if a != b]
    assert list(method_errors(method, price, percent)) == names


@pytest.mark.parametrize(
    ("kind", "item_class", "method", "fields"),
    [
        ("sales", "time", "markup", []),
        ("sales", "material", "at_cost", []),
        ("cost", "time", "per_unit", []),
        ("cost", "time", "at_cost", ["method"]),
        ("cost", "expense", "per_unit", ["class"]),
        ("cost", "material", "markup", ["class", "method"]),
    ],
)
def test_a_cost_list_holds_rates_of_time_per_unit_only(
    kind: str, item_class: str, method: str, fields: list[str]
) -> None:
    assert list(unfit_for(kind, item_class, method)) == fields
