"""Rules of milestones."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing_backlog.milestones.rules import amount_errors, still_open
from proforma.money import minor_units

CENTS = st.integers(1, 10**9).map(lambda n: Decimal(n).scaleb(-4))


@given(CENTS, st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_an_amount_is_one_of_its_currency(amount: Decimal, currency: str) -> None:
    step = Decimal(1).scaleb(-minor_units(currency))
    wrong = amount_errors({"amount": amount}, currency, "/3")
    assert [error["pointer"] for error in wrong] == ([] if amount % step == 0 else ["/3/amount"])


@given(CENTS, CENTS)
def test_billed_and_open_are_the_whole_until_it_is_given_up(amount: Decimal, billed: Decimal) -> None:
    assert still_open("posted", amount, billed) + billed == amount
    assert still_open("unbilled", amount, Decimal(0)) == amount
    assert still_open("canceled", amount, Decimal(0)) == 0
