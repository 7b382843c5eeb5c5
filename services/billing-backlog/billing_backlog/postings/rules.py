"""When a posting is done, and why a detail blocks it. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from proforma.events.invoicing import ConfirmedDetail


@dataclass(frozen=True, slots=True)
class Sums:
    """Count and sums over details: of the invoice, or of the ledger's billed rows."""

    count: int
    quantity: Decimal
    amount: Decimal
    tax: Decimal


def settle(
    seen: int, chunks: int, blocked: int, wanted: Sums, posted: Sums, *, accepted: bool = False
) -> tuple[str, str | None]:
    """(status, reason): pending until every chunk is in; posted only when nothing is blocked and all sums agree.

    What a person has accepted is billed on their word: of a corrective the difference alone, which no sum shows.
    """
    if seen < chunks:
        return "pending", None
    if blocked:
        return "blocked", f"{blocked} of {wanted.count} details do not match what is claimed"
    if wanted != posted and not accepted:
        return "blocked", f"control totals differ: the invoice says {_said(wanted)}, the ledger {_said(posted)}"
    return "posted", None


def _said(sums: Sums) -> str:
    return f"{sums.count} details, quantity {sums.quantity}, amount {sums.amount}, tax {sums.tax}"


def why_blocked(detail: ConfirmedDetail, status: str | None, held_by: UUID | None, ledger_status: str | None) -> str:
    """Why a confirmed detail does not match, for the person who has to look."""
    if detail.original_detail_id is not None:
        return f"detail {detail.original_detail_id}, which it corrects, is not billed any more, or with other figures"
    if detail.source == "hand":
        return f"contract line {detail.contract_line_id} is none of this contract"
    if detail.written_off_from is not None:
        return f"detail {detail.written_off_from}, which it is written off from, is not posted"
    return _claim_problem(detail.item_id, detail.claim_id, status, held_by, ledger_status)


def _claim_problem(
    item_id: UUID | None, claim_id: UUID | None, status: str | None, held_by: UUID | None, ledger_status: str | None
) -> str:
    if item_id is None or claim_id is None:
        return "the detail names no item and claim"
    if status == "on_invoice" and held_by == claim_id:
        return f"item {item_id} has other figures than the invoice was claimed with"
    if status == "on_invoice":
        return f"item {item_id} is on an invoice under claim {held_by}, not {claim_id}"
    if status is not None:
        return f"item {item_id} is {status}, on no invoice"
    return f"item {item_id} is {ledger_status}" if ledger_status else f"item {item_id} is not known"
