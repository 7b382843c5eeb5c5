"""Money: exact, rounded once, and a split adds up."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from proforma.money import (
    Amount,
    Price,
    Quantity,
    QuantityFromZero,
    SignedQuantity,
    amount_of,
    kept_and_rest,
    minor_units,
    round_amount,
    split_amount,
    tax_kept_and_rest,
)

QUANTITIES = st.decimals("0.01", "1000000", places=2)
PRICES = st.decimals("0", "1000000000", places=4)
CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "KWD", "CLF"])


def exactly(value: Decimal, currency: str) -> Fraction:
    """Half up by integers alone: the oracle."""
    scale = 10 ** minor_units(currency)
    scaled = Fraction(value) * scale
    whole, rest = divmod(abs(scaled), 1)
    rounded = whole + (rest >= Fraction(1, 2))
    return Fraction(-rounded if scaled < 0 else rounded, scale)


@given(QUANTITIES, PRICES, CURRENCIES)
def test_an_amount_is_quantity_times_price_rounded_half_up_once(
    quantity: Decimal, price: Decimal, currency: str
) -> None:
    amount = amount_of(quantity, price, currency)
    assert Fraction(amount) == exactly(quantity * price, currency)
    assert amount.as_tuple().exponent == -minor_units(currency)


@given(QUANTITIES, PRICES, CURRENCIES)
def test_a_reversal_takes_back_exactly_what_was_posted(quantity: Decimal, price: Decimal, currency: str) -> None:
    assert amount_of(-quantity, price, currency) == -amount_of(quantity, price, currency)


@given(st.lists(st.tuples(QUANTITIES, PRICES), min_size=1, max_size=8), CURRENCIES)
def test_a_split_adds_up_to_the_whole(parts: list[tuple[Decimal, Decimal]], currency: str) -> None:
    whole = amount_of(sum((quantity for quantity, _ in parts), Decimal(0)), parts[0][1], currency)
    amounts = split_amount(whole, parts, currency)
    assert sum(amounts) == whole
    assert len(amounts) == len(parts)
    assert amounts[:-1] == [amount_of(quantity, price, currency) for quantity, price in parts[:-1]]


@given(QUANTITIES, PRICES, st.data(), CURRENCIES)
def test_what_is_kept_and_the_rest_are_the_whole(
    quantity: Decimal, price: Decimal, data: st.DataObject, currency: str
) -> None:
    kept = data.draw(st.decimals("0", quantity, places=2))
    whole, tax = amount_of(quantity, price, currency), round_amount(data.draw(PRICES), currency)
    first, rest = kept_and_rest(whole, quantity, price, kept, currency)
    assert (first, first + rest) == (amount_of(kept, price, currency), whole)
    # Each part is its own quantity × price to the smallest unit: the rest bears both roundings.
    assert abs(rest - (quantity - kept) * price) <= Decimal(1).scaleb(-minor_units(currency))
    kept_tax, rest_tax = tax_kept_and_rest(tax, quantity, kept, currency)
    assert kept_tax + rest_tax == tax
    assert min(kept_tax, rest_tax) >= 0


@pytest.mark.parametrize(
    ("value", "currency", "rounded"),
    [
        ("0.005", "EUR", "0.01"), ("-0.005", "EUR", "-0.01"), ("0.00499999", "EUR", "0.00"), ("2.5", "JPY", "3"),
        ("1.0005", "KWD", "1.001"), ("1.00005", "CLF", "1.0001"), ("2.675", "XYZ", "2.68"), ("1.005", "EUR", "1.01"),
    ],
)  # fmt: skip
def test_halves_go_up_in_the_currencys_own_units(value: str, currency: str, rounded: str) -> None:
    assert str(round_amount(Decimal(value), currency)) == rounded


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12), CURRENCIES)
def test_rounding_twice_is_rounding_once(value: Decimal, currency: str) -> None:
    once = round_amount(value, currency)
    assert round_amount(once, currency) == once
    unit = Decimal(1).scaleb(-minor_units(currency))
    assert once == value.quantize(unit, rounding=ROUND_HALF_UP)


ACCEPTED = [
    (Quantity, "8", "8"), (Quantity, "8.00", "8.00"), (Quantity, "0.01", "0.01"), (Quantity, "1000000", "1000000"),
    (Quantity, "8.500", "8.50"), (Quantity, "0008.5", "8.5"), (QuantityFromZero, "0", "0"),
    (QuantityFromZero, "-0", "0"), (SignedQuantity, "-8.25", "-8.25"), (SignedQuantity, "-0.00", "0.00"),
    (Price, "0.0001", "0.0001"), (Price, "1000000000", "1000000000"), (Price, "12.34560", "12.3456"),
    (Amount, "-1000000000000", "-1000000000000"), (Amount, "0.0001", "0.0001"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "shown"), ACCEPTED)
def test_what_is_accepted_and_how_it_is_shown(kind: type[Decimal], text: str, shown: str) -> None:
    adapter = TypeAdapter(kind)
    value = adapter.validate_json(f'"{text}"')
    assert isinstance(value, Decimal)
    assert adapter.dump_json(value).decode() == f'"{shown}"'


REFUSED = [
    (Quantity, "0"), (Quantity, "0.001"), (Quantity, "-1"), (Quantity, "1000000.01"), (Quantity, "8.005"),
    (QuantityFromZero, "-0.01"), (SignedQuantity, "-1000000.01"), (Price, "-1"), (Price, "0.00001"),
    (Price, "1000000000.0001"), (Amount, "1000000000000.01"), (Amount, "0.00001"),
    *((Quantity, text) for text in (
        "", " 8", "8 ", "+8", "8,0", "8.", ".5", "1e2", "1E2", "0x8", "NaN", "Infinity", "1_000", "８", "--8",
        "9" * 30 + ".001", "9" * 60, "0." + "0" * 40 + "1", "1.2.3", "8\n", "\\u0000",
    )),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), REFUSED)
def test_what_is_refused(kind: type[Decimal], text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_json(f'"{text}"')


@pytest.mark.parametrize("json", ["8", "8.5", "1e2", "true", "null", "[]", "{}", '["8"]'])
def test_a_json_number_is_refused(json: str) -> None:
    """It has been a float on most clients' way here."""
    with pytest.raises(ValidationError):
        TypeAdapter(Quantity).validate_json(json)


@given(st.floats())
def test_a_float_is_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Amount).validate_python(value)


@given(st.text(max_size=40))
def test_no_text_is_worse_than_refused(text: str) -> None:
    """Whatever comes: a decimal within the limits, or a refusal; never another error."""
    for kind in (Quantity, SignedQuantity, Price, Amount):
        try:
            value = TypeAdapter(kind).validate_python(text)
        except ValidationError:
            continue
        assert abs(value) <= 10**12


@given(QUANTITIES, PRICES)
def test_what_is_written_is_read_again_as_the_same(quantity: Decimal, price: Decimal) -> None:
    class Figures(BaseModel):
        quantity: Quantity
        price: Price

    figures = Figures(quantity=quantity, price=price)
    again = Figures.model_validate_json(figures.model_dump_json())
    assert (again.quantity, again.price) == (quantity, price)
    assert again.model_dump_json() == figures.model_dump_json()
