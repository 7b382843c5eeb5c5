"""What a correction leaves of a milestone or a product line. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from proforma.events.invoicing import DetailFigures


@dataclass(frozen=True, slots=True)
class Credit:
    """Amounts and taxes of what stays billed and of what comes back, in the contract's currency."""

    kept: Decimal
    kept_tax: Decimal
    rest: Decimal
    rest_tax: Decimal

    @property
    def in_full(self) -> bool:
        """True when nothing stays billed: it is the same one again then, not two."""
        return self.kept == 0


def credit_of(was: DetailFigures, now: DetailFigures) -> Credit | None:
    """What is credited; None where the amount stays, because another tax alone brings nothing back."""
    if now.amount >= was.amount:
        return None
    rest_tax = max(was.tax - now.tax, Decimal(0))
    return Credit(now.amount, now.tax, was.amount - now.amount, rest_tax)
