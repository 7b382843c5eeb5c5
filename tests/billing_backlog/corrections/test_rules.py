"""What a correction leaves of a milestone or a product line."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing_backlog.corrections.rules import credit_of
from tests.billing_backlog.confirmed import figures

AMOUNTS = st.decimals("0.01", "1000000", places=2)


@given(AMOUNTS, AMOUNTS, st.decimals("0", "1000", places=2), st.decimals("0", "1000", places=2))
def test_what_stays_and_what_comes_back_are_the_whole(
    whole: Decimal, part: Decimal, tax: Decimal, now_tax: Decimal
) -> None:
    was = figures("1", str(whole), tax=str(tax))
    now = figures("1", str(min(whole, part)), tax=str(now_tax))
    credit = credit_of(was, now)
    if part >= whole:
        assert credit is None
        return
    assert credit is not None
    assert (credit.kept + credit.rest, credit.in_full) == (whole, False)
    assert credit.rest_tax == max(tax - now_tax, Decimal(0))


def test_nothing_kept_is_a_credit_in_full() -> None:
    credit = credit_of(figures("1", "5000"), figures("0", "5000", "0.00"))
    assert credit is not None
    assert credit.in_full
