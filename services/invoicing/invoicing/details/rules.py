"""How the figures of a detail are written: exactly, with as many decimals as they need."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from proforma.errors import BrokenRule
from proforma.money import minor_units

_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Figures:
    """Writes the figures of one currency; `unit` is its smallest amount."""

    currency: str
    unit: Decimal

    @classmethod
    def of(cls, currency: str) -> Self:
        """For an ISO 4217 code."""
        return cls(currency, Decimal(1).scaleb(-minor_units(currency)))

    def amount(self, value: Decimal) -> Decimal:
        """`value` with the currency's decimals; raises BrokenRule when it has more: rounding would lose a cent."""
        written = value.quantize(self.unit)
        if written != value:
            raise BrokenRule(f"{value} is not an amount in {self.currency}, whose smallest is {self.unit}")
        return written

    def price(self, value: Decimal) -> Decimal:
        """`value` without zeros beyond the currency's decimals: 200.0000 is 200.00, 0.1250 is 0.125."""
        written = value.quantize(self.unit)
        return written if written == value else value.normalize()

    def quantity(self, value: Decimal) -> Decimal:
        """`value` with two decimals."""
        return value.quantize(_HUNDREDTH)
