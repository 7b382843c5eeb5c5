"""What an entry is, who owns it, and who sees it. The words are the API's (§2 of its reference)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Protocol
from uuid import UUID

from proforma.context import Principal
from proforma.errors import Conflict

Status = Literal["draft", "submitted", "approved", "rejected", "cancellation_requested"]
EntryClass = Literal["time", "expense", "material"]

CLASS_FIELDS = ("role", "category", "product", "write_in", "unit_cost", "currency")
"""What only some classes have."""
CLASS_RULED = (*CLASS_FIELDS, "quantity", "unit")
"""What is held against the class."""
UNITS: Mapping[str, str] = {"time": "hour", "expense": "each", "material": "each"}
"""The unit that an entry has unless it says another; time has no other."""
_NEEDED: Mapping[str, frozenset[str]] = {
    "time": frozenset({"role"}),
    "expense": frozenset({"category", "unit_cost", "currency"}),
    "material": frozenset({"unit_cost", "currency"}),
}
_TAKEN: Mapping[str, frozenset[str]] = {**_NEEDED, "material": _NEEDED["material"] | {"product", "write_in"}}

EDITABLE: frozenset[str] = frozenset({"draft", "rejected"})
"""Where an entry may be edited and deleted: nobody is looking at it, and nothing is posted."""
HOURS_MAX = Decimal(24)
"""Time is one person's work on one day, in hours."""
HUNDREDTH = Decimal("0.01")
READERS = ("approver", "biller", "manager", "service")
"""Who reads everybody's entries; a submitter alone reads own ones."""

_ALLOWED: dict[str, list[str]] = {
    "draft": ["edit", "delete", "submit"],
    "rejected": ["edit", "delete", "submit"],
    "submitted": ["recall", "approve", "reject"],
    "approved": ["cancel-approval"],
    "cancellation_requested": [],
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Which entries a caller may reach: own ones of `own_of` (None: everybody's), in `projects` (None: all)."""

    own_of: str | None = None
    projects: frozenset[str] | None = None


class Placed(Protocol):
    """What decides whose an entry is."""

    @property
    def project(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def submitted_by(self) -> str | None: ...
    @property
    def created_by(self) -> str: ...


def misfit(entry_class: str, name: str, fields: Mapping[str, Any]) -> str | None:
    """What is wrong with the field `name` among `fields` for an entry of this class; None when nothing is.

    None is not sent. A write_in stands for the product that has no code; beside a product that is not there, because
    it is no code at all, it is not judged.
    """
    value = fields.get(name)
    if name in CLASS_FIELDS and name not in _TAKEN[entry_class]:
        return None if value is None else f"not a field of the class {entry_class}"
    if name in _NEEDED[entry_class] and value is None:
        return f"the class {entry_class} needs it"
    if name == "write_in" and "product" in fields and (value is None) == (fields["product"] is None):
        return "exactly one of product and write_in"
    if entry_class == "time" and name == "quantity" and value is not None and value > HOURS_MAX:
        return f"at most {HOURS_MAX} hours a day"
    if entry_class == "time" and name == "unit" and value not in (None, UNITS["time"]):
        return "time is in hours: hour"
    return None


def misfits(entry_class: str, fields: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with a whole entry of this class, by field."""
    found = {name: misfit(entry_class, name, fields) for name in CLASS_RULED}
    return {name: detail for name, detail in found.items() if detail is not None}


def cancellation(outcome: str | None, reason: str | None, invoice_id: UUID | None) -> dict[str, Any] | None:
    """The last answer as an entry shows it; None when nobody asked since its approval."""
    return None if outcome is None else {"outcome": outcome, "reason": reason, "invoice_id": invoice_id}


def allowed(status: str) -> list[str]:
    """What may be done with an entry in this state."""
    return list(_ALLOWED[status])


def wrong_state(status: str, verb: str) -> Conflict:
    """The refusal of a verb that this state does not allow."""
    return Conflict(f"the entry is {status}: {verb} is not possible", state=status, allowed=allowed(status))


def reaches(scope: Scope, entry: Placed) -> bool:
    """True when the entry lies in the scope.

    Own is one's work, and what one submitted. Until somebody submits it, who made it stands for the submitter:
    otherwise nobody could submit what they entered for a colleague.
    """
    own = scope.own_of is None or scope.own_of in (entry.resource, entry.submitted_by or entry.created_by)
    return own and (scope.projects is None or entry.project in scope.projects)


def reading(who: Principal) -> Scope:
    """What the caller sees."""
    return Scope() if who.may(*READERS) else Scope(own_of=who.sub)


def editing(who: Principal) -> Scope:
    """What the caller may create, edit, delete, submit and recall: own entries, unless admin."""
    return Scope() if who.may("admin") else Scope(own_of=who.sub)


def deciding(who: Principal) -> Scope:
    """What the caller may approve and reject: the projects that the token names, unless admin."""
    return Scope() if who.may("admin") else Scope(projects=who.projects)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, str | None]]:
    """The fields that differ, as the history keeps them."""
    return {
        name: {"before": _text(before[name]), "after": _text(value)}
        for name, value in after.items()
        if before[name] != value
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)
