"""Sums and states, without a database."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.invoices.rules import EDITABLE, OPEN, BillingType, Sums, require, zero
from proforma.errors import Conflict

AMOUNTS = st.decimals(0, 10_000, places=2)
DETAILS = st.tuples(st.sampled_from(["chargeable", "non_chargeable", "complimentary"]), AMOUNTS, AMOUNTS)


def test_only_chargeable_is_owed() -> None:
    chargeable = Sums.of("chargeable", Decimal("1200.00"), Decimal("228.00"))
    written_off = Sums.of("non_chargeable", Decimal("400.00"), Decimal("76.00"))
    gift = Sums.of("complimentary", Decimal("300.00"), Decimal("57.00"))
    line = chargeable + written_off + gift
    assert (line.chargeable, line.non_chargeable, line.complimentary) == (Decimal(1200), Decimal(400), Decimal(300))
    assert line.tax == Decimal(228)
    assert line.total == Decimal(1428)
    assert line.details == 3


@given(st.lists(DETAILS))
def test_what_is_taken_back_leaves_nothing(details: list[tuple[BillingType, Decimal, Decimal]]) -> None:
    sums = sum((Sums.of(*detail) for detail in details), Sums())
    assert sums + -sums == Sums()
    assert sums.total == sum((amount + tax for kind, amount, tax in details if kind == "chargeable"), Decimal(0))


@pytest.mark.parametrize(("currency", "shown"), [("EUR", "0.00"), ("JPY", "0"), ("KWD", "0.000")])
def test_no_money_has_the_decimals_of_its_currency(currency: str, shown: str) -> None:
    assert str(zero(currency)) == shown


@pytest.mark.parametrize("status", ["building", "confirmed", "paid", "discarded"])
def test_only_a_whole_draft_is_editable(status: str) -> None:
    with pytest.raises(Conflict) as refused:
        require(status, EDITABLE, "edit it")
    assert refused.value.reason == "wrong_state"
    assert refused.value.extra["state"] == status
    assert refused.value.extra["allowed"] == ["draft", "in_review"]


@pytest.mark.parametrize("status", OPEN)
def test_open_invoices_can_be_given_up(status: str) -> None:
    require(status, OPEN, "discard it")
