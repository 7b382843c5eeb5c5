"""Money and quantities: `Decimal` only, the currency's own minor units, and one law: a split adds up."""

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

QUANTITY_MAX = Decimal("1000000")
PRICE_MAX = Decimal("1000000000")
AMOUNT_MAX = Decimal("1000000000000")
SUM_MAX = Decimal("1000000000000000000")
RATE_LEAST = Decimal("0.00000001")
RATE_MAX = Decimal("1000000000")

# ISO 4217 codes whose minor unit is not a hundredth; every other three-letter code has two decimals.
_MINOR_UNITS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}


_DECIMAL = re.compile(r"-?[0-9]{1,32}(\.[0-9]{1,32})?")


def minor_units(currency: str) -> int:
    """Decimals of `currency`'s amounts (ISO 4217): 2 for EUR, 0 for JPY, 3 for KWD."""
    return _MINOR_UNITS.get(currency, 2)


def round_amount(value: Decimal, currency: str) -> Decimal:
    """`value` rounded half up (away from zero on a tie) to the minor units of `currency`."""
    return value.quantize(Decimal(1).scaleb(-minor_units(currency)), rounding=ROUND_HALF_UP)


def amount_of(quantity: Decimal, price: Decimal, currency: str) -> Decimal:
    """quantity × price, rounded once: amounts are stored and never computed again (design §4)."""
    return round_amount(quantity * price, currency)


def split_amount(whole: Decimal, parts: Sequence[tuple[Decimal, Decimal]], currency: str) -> list[Decimal]:
    """`whole` over (quantity, price) parts: each is round(q × p), the last the rest, so that they add up to `whole`."""
    amounts = [amount_of(quantity, price, currency) for quantity, price in parts[:-1]]
    return [*amounts, whole - sum(amounts, Decimal(0))]


def kept_and_rest(
    whole: Decimal, quantity: Decimal, price: Decimal, kept: Decimal, currency: str
) -> tuple[Decimal, Decimal]:
    """`whole`, the amount of `quantity` at `price`, as the amounts of the `kept` part and of the rest.

    The kept part is round(kept × price), the rest what is left of the whole: they add up to it whatever the rounding
    was (design §4). Nothing kept is no amount, all of it the whole. A part is never more than the whole: the rest of
    many splits bears all of their roundings, and what is left of it must not become less than nothing.
    """
    if kept == quantity:
        return whole, whole - whole
    first = min(amount_of(kept, price, currency), whole)
    return first, whole - first


def tax_kept_and_rest(tax: Decimal, quantity: Decimal, kept: Decimal, currency: str) -> tuple[Decimal, Decimal]:
    """The tax of `quantity`, scaled to the `kept` part of it and to the rest (above zero quantity only)."""
    first = tax if kept == quantity else round_amount(tax * kept / quantity, currency)
    return first, tax - first


def _decimal(places: int, least: Decimal, most: Decimal) -> Any:
    unit = Decimal(1).scaleb(-places)

    def read(value: object) -> Decimal:
        number = value if isinstance(value, Decimal) else _number(value)
        if not number.is_finite():
            raise ValueError("a finite decimal")
        # The range first: beyond 28 digits the next step would be an error of arithmetic, not of the field.
        if not least <= number <= most:
            raise ValueError(f"between {least} and {most}")
        rounded = number.quantize(unit)
        if rounded != number:
            raise ValueError(f"at most {places} decimals")
        exponent = number.as_tuple().exponent
        kept = rounded if isinstance(exponent, int) and not -places <= exponent <= 0 else number
        return abs(kept) if kept == 0 else kept  # minus zero is zero

    return read


def _number(value: object) -> Decimal:
    # Not from a JSON number: 0.1 + 0.2 would be wrong before we saw it.
    if not (isinstance(value, str) and _DECIMAL.fullmatch(value)):
        raise ValueError('a decimal as a string, such as "8.00"')
    return Decimal(value)


def _schema(places: int, least: Decimal, most: Decimal) -> WithJsonSchema:
    sign = "-?" if least < 0 else ""
    digits = max(13, len(f"{most:f}"))
    return WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^{sign}[0-9]{{1,{digits}}}(\.[0-9]{{1,{places}}})?$",
            # JSON Schema limits numbers only, and ours travel as texts.
            "x-minimum": f"{least:f}",
            "x-maximum": f"{most:f}",
            "examples": ["8.00"],
        }
    )


def _text(value: Decimal) -> str:
    return format(value, "f")


_serialise = PlainSerializer(_text, return_type=str, when_used="json")

Quantity = Annotated[
    Decimal,
    BeforeValidator(_decimal(2, Decimal("0.01"), QUANTITY_MAX)),
    _serialise,
    _schema(2, Decimal("0.01"), QUANTITY_MAX),
]
"""Above zero, two decimals at most, up to 1,000,000."""

QuantityFromZero = Annotated[
    Decimal, BeforeValidator(_decimal(2, Decimal(0), QUANTITY_MAX)), _serialise, _schema(2, Decimal(0), QUANTITY_MAX)
]
"""Like `Quantity`, zero allowed."""

SignedQuantity = Annotated[
    Decimal,
    BeforeValidator(_decimal(2, -QUANTITY_MAX, QUANTITY_MAX)),
    _serialise,
    _schema(2, -QUANTITY_MAX, QUANTITY_MAX),
]
"""A ledger row's quantity: reversals are negative."""

Price = Annotated[
    Decimal, BeforeValidator(_decimal(4, Decimal(0), PRICE_MAX)), _serialise, _schema(4, Decimal(0), PRICE_MAX)
]
"""Per unit, up to four decimals."""

Amount = Annotated[
    Decimal, BeforeValidator(_decimal(4, -AMOUNT_MAX, AMOUNT_MAX)), _serialise, _schema(4, -AMOUNT_MAX, AMOUNT_MAX)
]
"""In the currency's minor units (at most four decimals in any currency)."""

Rate = Annotated[
    Decimal, BeforeValidator(_decimal(8, RATE_LEAST, RATE_MAX)), _serialise, _schema(8, RATE_LEAST, RATE_MAX)
]
"""Units of one currency for a unit of another: above zero, up to eight decimals."""

QuantitySum = Annotated[
    Decimal, BeforeValidator(_decimal(2, -SUM_MAX, SUM_MAX)), _serialise, _schema(2, -SUM_MAX, SUM_MAX)
]
"""A total of quantities: 200,000 details of 8 hours are more than one quantity may be."""

AmountSum = Annotated[
    Decimal, BeforeValidator(_decimal(4, -SUM_MAX, SUM_MAX)), _serialise, _schema(4, -SUM_MAX, SUM_MAX)
]
"""A total of amounts: it may exceed what a single amount may be."""
