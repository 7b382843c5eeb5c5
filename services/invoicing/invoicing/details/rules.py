"""How the figures of a detail are written: exactly, with as many decimals as they need; and what it adds to a line."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

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


def owed(detail: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """The (amount, tax) that a detail adds to its line: on a corrective the difference to the original's (§3.5)."""
    if detail.get("original_detail_id") is None:
        return detail["amount"], detail["tax"]
    return detail["amount"] - detail["was_amount"], detail["tax"] - detail["was_tax"]
