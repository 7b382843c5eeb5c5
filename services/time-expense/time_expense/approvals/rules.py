"""The state machine of the first approval (domain §2.1), and who may move an entry. Answers are `cancellations`'."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

from proforma.context import Principal
from time_expense.entries.rules import Scope, Status, deciding, editing, reaches, reading

Verb = Literal["submit", "recall", "approve", "reject", "cancel-approval"]


@dataclass(frozen=True, slots=True)
class Move:
    """Where a verb leads, and from where; `role` may do it."""

    sources: frozenset[str]
    target: Status
    role: str


MOVES: Mapping[Verb, Move] = {
    "submit": Move(frozenset({"draft", "rejected"}), "submitted", "submitter"),
    "recall": Move(frozenset({"submitted"}), "draft", "submitter"),
    "approve": Move(frozenset({"submitted"}), "approved", "approver"),
    "reject": Move(frozenset({"submitted"}), "rejected", "approver"),
    # A question: the ledger's answer takes the entry on, or back (`cancellations`).
    "cancel-approval": Move(frozenset({"approved"}), "cancellation_requested", "approver"),
}


@dataclass(frozen=True, slots=True)
class Override:
    """What an approver sets: `billable_quantity` None is the whole quantity, `billing_type` None the line's."""

    billable_quantity: Decimal | None = None
    billing_type: str | None = None


NOTHING_SET = Override()


@dataclass(frozen=True, slots=True)
class Standing:
    """What a locked entry's fate depends on."""

    id: UUID
    version: int
    status: str
    project: str
    resource: str
    submitted_by: str | None
    created_by: str
    billable_quantity: Decimal | None
    billing_type: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an entry stays as it is; `reason` is a word of the API's vocabulary."""

    reason: str
    detail: str


Verdict = Literal["change", "unchanged"] | Refused


def acting(verb: Verb, who: Principal) -> Scope:
    """The entries that the caller may move by this verb."""
    return deciding(who) if MOVES[verb].role == "approver" else editing(who)


def judge(verb: Verb, entry: Standing, who: Principal, override: Override, *, self_approval: bool) -> Verdict:
    """What becomes of one entry. `self_approval`: whether one may approve what is one's own."""
    if not reaches(reading(who), entry):
        return Refused("not_found", "no such entry")
    if not reaches(acting(verb, who), entry):
        return Refused("forbidden", f"project {entry.project}, resource {entry.resource}: not yours to {verb}")
    move = MOVES[verb]
    if entry.status == move.target:
        return _already(entry, override)
    if entry.status not in move.sources:
        return Refused("wrong_state", f"is {entry.status}; {verb} needs {' or '.join(sorted(move.sources))}")
    if verb == "approve" and not self_approval and is_own_approval(who.sub, entry.resource, entry.submitted_by):
        return Refused("self_approval", "nobody approves what they submitted or are the resource of")
    return "change"


def is_own_approval(sub: str, resource: str, submitted_by: str | None) -> bool:
    """True when `sub` would approve an own entry; an admin is no exception."""
    return sub in (resource, submitted_by)


def _already(entry: Standing, override: Override) -> Verdict:
    # To call it unchanged would tell the approver that their 6 hours are on record while 8 are.
    billable = override.billable_quantity
    if billable is not None and billable != entry.billable_quantity:
        return Refused("wrong_state", f"is {entry.status} already, with {entry.billable_quantity} billable")
    if override.billing_type is not None and override.billing_type != entry.billing_type:
        return Refused("wrong_state", f"is {entry.status} already, with the billing type {entry.billing_type}")
    return "unchanged"
