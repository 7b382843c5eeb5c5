"""How figures are written, without a database."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.details.rules import Figures
from proforma.errors import BrokenRule

EUR, YEN = Figures.of("EUR"), Figures.of("JPY")


@pytest.mark.parametrize(("given_", "written"), [("1600", "1600.00"), ("1600.0000", "1600.00"), ("-0.5", "-0.50")])
def test_amounts_have_the_decimals_of_their_currency(given_: str, written: str) -> None:
    assert str(EUR.amount(Decimal(given_))) == written
    assert str(YEN.amount(Decimal("1600.00"))) == "1600"


@pytest.mark.parametrize(("figures", "amount"), [(EUR, "0.005"), (YEN, "0.5"), (EUR, "1600.0001")])
def test_an_amount_with_more_decimals_is_refused_not_rounded(figures: Figures, amount: str) -> None:
    with pytest.raises(BrokenRule, match=amount):
        figures.amount(Decimal(amount))


@pytest.mark.parametrize(
    ("given_", "written"), [("200", "200.00"), ("200.0000", "200.00"), ("0.1250", "0.125"), ("0.0001", "0.0001")]
)
def test_prices_lose_empty_decimals_only(given_: str, written: str) -> None:
    assert format(EUR.price(Decimal(given_)), "f") == written


@given(st.decimals(0, 10**9, places=4))
def test_a_price_is_never_another_price(price: Decimal) -> None:
    assert EUR.price(price) == price
    assert YEN.price(price) == price
