"""States of an invoice, what may be done in which, and what changing one means (design §5.7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from proforma.errors import Conflict
from proforma.money import round_amount

Kind = Literal["invoice", "corrective"]
Status = Literal["building", "draft", "in_review", "confirmed", "paid", "discarded"]
Posting = Literal["none", "pending", "posted", "blocked"]
BillingType = Literal["chargeable", "non_chargeable", "complimentary"]

OPEN: tuple[Status, ...] = ("building", "draft", "in_review")
"""An open invoice may change; the database itself refuses every other change (trigger `settled_invoice`)."""
EDITABLE: tuple[Status, ...] = ("draft", "in_review")
"""A draft that is still building takes claims only: what a person has not seen whole, they cannot judge."""
CONFIRMED: tuple[Status, ...] = ("confirmed", "paid")

ZERO = Decimal(0)


def require(status: str, allowed: Iterable[str], verb: str) -> None:
    """Raises Conflict, with the state and those that would do, when `verb` is not possible in `status`."""
    if status not in (wanted := list(allowed)):
        raise Conflict(
            f"the invoice is {status}; to {verb} it must be {' or '.join(wanted)}", state=status, allowed=wanted
        )


@dataclass(frozen=True, slots=True)
class Sums:
    """What details add to a line and an invoice. Amounts by billing type; `tax` of the chargeable ones alone.

    Non-chargeable and complimentary work is shown and adds nothing to what the customer owes (design §4).
    """

    details: int = 0
    chargeable: Decimal = ZERO
    non_chargeable: Decimal = ZERO
    complimentary: Decimal = ZERO
    tax: Decimal = ZERO

    @classmethod
    def of(cls, billing_type: BillingType, amount: Decimal, tax: Decimal, details: int = 1) -> "Sums":
        """The sums of one detail, or of several of one billing type."""
        if billing_type == "chargeable":
            return cls(details, chargeable=amount, tax=tax)
        if billing_type == "non_chargeable":
            return cls(details, non_chargeable=amount)
        return cls(details, complimentary=amount)

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.details + other.details,
            self.chargeable + other.chargeable,
            self.non_chargeable + other.non_chargeable,
            self.complimentary + other.complimentary,
            self.tax + other.tax,
        )

    def __neg__(self) -> "Sums":
        return Sums(-self.details, -self.chargeable, -self.non_chargeable, -self.complimentary, -self.tax)

    @property
    def total(self) -> Decimal:
        """What the customer owes: chargeable amounts and their tax."""
        return self.chargeable + self.tax


def zero(currency: str) -> Decimal:
    """No money, with the currency's decimals: a total that starts as 0.00 is shown as 0.00."""
    return round_amount(ZERO, currency)
