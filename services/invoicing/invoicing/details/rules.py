"""What a detail must be to go on to an invoice, and how its figures are written."""

from decimal import Decimal

from proforma.errors import BrokenRule
from proforma.money import minor_units, round_amount

_QUANTITY = Decimal("0.01")


def exact_amount(value: Decimal, currency: str) -> Decimal:
    """`value` with the currency's decimals; raises BrokenRule when it has more: to round it here would lose a cent."""
    rounded = round_amount(value, currency)
    if rounded != value:
        raise BrokenRule(f"{value} is not an amount in {currency}: {minor_units(currency)} decimals at most")
    return rounded


def tidy_quantity(value: Decimal) -> Decimal:
    """`value` with two decimals."""
    return value.quantize(_QUANTITY)


def tidy_price(value: Decimal, currency: str) -> Decimal:
    """`value` without zeros beyond the currency's decimals: 200.0000 is 200.00, 0.1250 is 0.125."""
    shortest = value.quantize(Decimal(1).scaleb(-minor_units(currency)))
    return shortest if shortest == value else value.normalize()
