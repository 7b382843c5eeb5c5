"""What an answer of the ledger does to the entry that it names (design §5.4)."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal
from uuid import UUID

Outcome = Literal["reversed", "refused"]

WAITING = "cancellation_requested"
APPROVED = frozenset({"approved", WAITING})
"""Where the approval of the entry's revision holds: until the ledger has reversed it."""


@dataclass(frozen=True, slots=True)
class Approved:
    """What a locked entry's answers are held against; `request_id` is the open question's, None without one."""

    id: UUID
    version: int
    status: str
    revision: int
    request_id: UUID | None
    billable_quantity: Decimal | None
    billing_type: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The ledger's answer to one question about one revision of an entry."""

    revision: int
    request_id: UUID
    outcome: Outcome
    reason: str | None = None
    invoice_id: UUID | None = None


def take(entry: Approved, answer: Answer) -> Approved | None:
    """The entry after an answer; None when the answer changes nothing.

    `reversed` is final for its revision, whatever question is open or none: the ledger has no row of it any more.
    `refused` counts only for the open question: a late one must not end a newer question that may be answered
    otherwise. Both may come twice, late and in any order.
    """
    if answer.outcome == "reversed":
        if entry.status not in APPROVED or answer.revision != entry.revision:
            return None
        return replace(
            entry, version=entry.version + 1, status="submitted", request_id=None, billable_quantity=None,
            billing_type=None,
        )  # fmt: skip
    if answer.request_id != entry.request_id:
        return None
    return replace(entry, version=entry.version + 1, status="approved", request_id=None)
