"""What is split adds up, and what no invoice can say is refused."""

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing_backlog.billing.rules import check_chunk, kind_of, rest_of
from proforma.clock import derived_id
from proforma.errors import BrokenRule
from proforma.events.invoicing import ConfirmedDetail, DetailFigures
from proforma.money import amount_of, kept_and_rest, round_amount
from tests.billing_backlog.confirmed import by_hand, corrected, edited, figures, invoice, written_off

QUANTITIES = st.decimals("0.01", "1000000", places=2)
PRICES = st.decimals("0", "1000000", places=4)
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])


def item(n: int = 1) -> ConfirmedDetail:
    now = figures("8", "200")
    return ConfirmedDetail.model_validate(
        {
            "detail_id": derived_id("d", n), "item_id": derived_id("i", n), "claim_id": UUID(int=9),
            "source": "backlog", "class": "time", "contract_line_id": UUID(int=8), "was": now, "now": now,
        }
    )  # fmt: skip


@given(QUANTITIES, PRICES, CURRENCIES, st.data())
def test_what_is_billed_and_the_rest_are_what_was(
    quantity: Decimal, price: Decimal, currency: str, data: st.DataObject
) -> None:
    kept = data.draw(st.decimals("0", quantity, places=2))
    whole, tax = amount_of(quantity, price, currency), round_amount(data.draw(PRICES), currency)
    was = DetailFigures.model_construct(
        quantity=quantity, price=price, amount=whole, tax=tax, billing_type="chargeable"
    )
    now = was.model_copy(update={"quantity": kept, "amount": amount_of(kept, price, currency)})
    rest = rest_of(was, now, currency)
    if kept == quantity:
        assert rest is None
        return
    assert rest is not None
    assert (rest.quantity + kept, rest.amount + now.amount, rest.price) == (quantity, whole, price)
    assert 0 <= rest.tax <= tax


@given(QUANTITIES, PRICES, st.sampled_from(["EUR", "JPY", "KWD", "BHD"]), st.lists(st.integers(0, 100), max_size=30))
@example(Decimal("0.10"), Decimal("0.25"), "EUR", [20, 25, 34, 50, 50])
@example(Decimal("0.10"), Decimal("25"), "JPY", [20, 25, 34, 50, 50])
def test_however_often_it_is_split_the_parts_are_the_whole_and_none_is_less_than_nothing(
    quantity: Decimal, price: Decimal, currency: str, percents: list[int]
) -> None:
    """8 is billed as 6 and 2, the 2 as 1 and 1, and so on: each part but the last is round(q × p), the last bears what
    the rounding of the others left; in quantity and in amount nothing is gained and nothing is lost."""
    whole = amount_of(quantity, price, currency)
    figures_of = DetailFigures.model_construct
    left = figures_of(quantity=quantity, price=price, amount=whole, tax=Decimal(0), billing_type="chargeable")
    parts: list[DetailFigures] = []
    for percent in percents:
        kept = (left.quantity * percent / 100).quantize(Decimal("0.01"), ROUND_DOWN)
        amount, _ = kept_and_rest(left.amount, left.quantity, left.price, kept, currency)
        part = left.model_copy(update={"quantity": kept, "amount": amount})
        rest = rest_of(left, part, currency)
        if rest is None:
            break
        parts.append(part)
        left = left.model_copy(update={"quantity": rest.quantity, "amount": rest.amount})
    assert sum(one.quantity for one in [*parts, left]) == quantity
    assert sum(one.amount for one in [*parts, left]) == whole
    assert min(one.amount for one in [*parts, left]) >= 0


def test_the_rest_has_the_price_of_what_is_split() -> None:
    rest = rest_of(figures("8", "200"), figures("6", "250"), "EUR")
    assert rest is not None
    assert (rest.quantity, rest.price, rest.amount) == (Decimal(2), Decimal(200), Decimal("400.00"))
    assert rest_of(figures("8", "200"), figures("10", "200"), "EUR") is None


def test_each_kind_is_known() -> None:
    reduced = edited(item(), figures("6", "200"), "write_off")
    milestone = item().model_copy(update={"source": "milestone"})
    details = [reduced, milestone, by_hand(figures("3", "200")), written_off(reduced)]
    assert [kind_of(one) for one in details] == ["item", "sourced", "hand", "written_off"]
    (chunk,) = invoice(details)
    check_chunk(chunk)


WRONG: dict[str, tuple[Callable[[ConfirmedDetail], list[ConfirmedDetail]], dict[str, Any], str]] = {
    "a detail without a quantity": (
        lambda one: [edited(one, figures("0", "200"))], {}, "has no quantity",
    ),
    "a correction on an invoice that is none": (
        lambda one: [corrected(one, figures("6", "200"))], {}, "is no corrective",
    ),
    "a corrective that corrects nothing": (lambda one: [one], {"kind": "corrective"}, "corrects no detail"),
    "a write-off without its detail": (
        lambda one: [written_off(edited(one, figures("6", "200")))], {}, "is not in its chunk",
    ),
    "claimed, and nothing that it was": (
        lambda one: [one.model_copy(update={"was": None})], {}, "or neither",
    ),
    "by hand without a coding": (
        lambda _: [by_hand(figures("3", "200")).model_copy(update={"coding": None})], {}, "or neither",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_no_invoice_can_say_is_refused(case: str) -> None:
    details, header, why = WRONG[case]
    (chunk,) = invoice(details(item()), **header)
    with pytest.raises(BrokenRule, match=why):
        check_chunk(chunk)
