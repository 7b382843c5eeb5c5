"""What a confirmed detail posts, by its kind, and what of it comes back to the backlog (design §4). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

from proforma.errors import BrokenRule
from proforma.events.invoicing import ConfirmedDetail, DetailFigures, InvoiceConfirmed
from proforma.money import kept_and_rest, tax_kept_and_rest

Kind = Literal["item", "sourced", "hand", "written_off"]


@dataclass(frozen=True, slots=True)
class Billed:
    """A confirmed detail, and the invoice that it is on with its currency (ISO 4217)."""

    invoice_id: UUID
    currency: str
    detail: ConfirmedDetail


def kind_of(detail: ConfirmedDetail) -> Kind:
    """`item` has an unbilled row behind it, `sourced` a milestone or product line, `hand` nothing; `written_off` is
    the rest of another detail."""
    if detail.written_off_from is not None:
        return "written_off"
    if detail.source == "hand":
        return "hand"
    return "item" if detail.source == "backlog" else "sourced"


def check_chunk(chunk: InvoiceConfirmed) -> None:
    """Raises BrokenRule for what no invoice can say: it would have to be guessed at, and money is at stake."""
    ids = {detail.detail_id for detail in chunk.details}
    for detail in chunk.details:
        if (problem := _problem(chunk.kind, detail, ids)) is not None:
            raise BrokenRule(f"detail {detail.detail_id} of invoice {chunk.number} {problem}")


def _problem(kind: str, detail: ConfirmedDetail, ids: set[UUID]) -> str | None:
    if kind == "corrective":
        if detail.original_detail_id is None or detail.was is None:
            return "corrects no detail"
        return "is corrected and written off at once" if detail.written_off_from is not None else None
    if detail.original_detail_id is not None:
        return "corrects another one, but its invoice is no corrective"
    return _first_problem(detail, ids)


def _first_problem(detail: ConfirmedDetail, ids: set[UUID]) -> str | None:
    if detail.now.quantity <= 0:
        return "has no quantity"
    if detail.written_off_from is not None:
        return None if detail.written_off_from in ids else "is written off from one that is not in its chunk"
    if (detail.was is None) != (detail.source == "hand") or (detail.coding is None) != (detail.source != "hand"):
        return "is claimed and added by hand at once, or neither"
    return None


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a quantity when less is billed. Price per unit, amount and tax in the invoice's currency."""

    quantity: Decimal
    price: Decimal
    amount: Decimal
    tax: Decimal
    billing_type: str


def rest_of(was: DetailFigures, now: DetailFigures, currency: str) -> Rest | None:
    """The rest of `was` behind `now`; None when no quantity is left.

    At the price of what is split: a price that was edited holds for what is billed, not for what comes back.
    """
    quantity = was.quantity - now.quantity
    if quantity <= 0:
        return None
    _, amount = kept_and_rest(was.amount, was.quantity, was.price, now.quantity, currency)
    _, tax = tax_kept_and_rest(was.tax, was.quantity, now.quantity, currency)
    return Rest(quantity, was.price, amount, tax, was.billing_type)


def of_kind(details: Iterable[Billed], kind: Kind) -> list[Billed]:
    """Those of one kind."""
    return [one for one in details if kind_of(one.detail) == kind]
