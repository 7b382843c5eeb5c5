"""What an imported row does to the entry that it names: makes it, changes it, leaves it, or is refused."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal
from uuid import UUID

from time_expense.approvals.rules import is_own_approval
from time_expense.entries.rules import EDITABLE, Scope, reaches

ImportState = Literal["draft", "submitted", "approved"]


@dataclass(frozen=True, slots=True)
class Work:
    """What a row says about the work. It says all of it: a field that is not in the row is empty."""

    entry_class: str
    project: str
    task: str | None
    resource: str
    role: str | None
    date: dt.date
    quantity: Decimal
    unit: str
    description: str | None = None
    external_description: str | None = None
    category: str | None = None
    product: str | None = None
    write_in: str | None = None
    unit_cost: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the upload that can be read; `line` is where it begins."""

    line: int
    external_id: str
    work: Work


@dataclass(frozen=True, slots=True)
class Known:
    """An entry as it stands, or as the rows so far have left it."""

    id: UUID
    version: int
    status: str
    submitted_by: str | None
    created_by: str
    work: Work

    @property
    def project(self) -> str:
        return self.work.project

    @property
    def resource(self) -> str:
        return self.work.resource


@dataclass(frozen=True, slots=True)
class Target:
    """The state that the import brings entries to, for whom, and what they may reach."""

    state: ImportState
    sub: str
    editing: Scope
    deciding: Scope
    self_approval: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row did nothing."""

    line: int
    external_id: str | None
    reason: str
    detail: str


@dataclass(slots=True)
class Settled:
    """What the rows of one external_id come to, in the order of the upload; `steps` are the versions they make."""

    before: Known | None
    entry: Known | None
    steps: list[tuple[Known | None, Known]] = field(default_factory=list)
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)


def settle(rows: Sequence[Row], known: Known | None, target: Target, new_id: Callable[[], UUID]) -> Settled:
    """Plays the rows of one external_id one after another on the entry as it stands.

    One after another, so that a file with the same id twice comes out the same wherever its steps are cut.
    """
    settled = Settled(known, known)
    for row in rows:
        entry = settled.entry
        if entry is not None and entry.work == row.work:
            settled.unchanged += 1
            continue
        after = _after(row, entry, target, new_id)
        refused = _refused(entry, after, target)
        if refused is not None:
            settled.problems.append(Problem(row.line, row.external_id, *refused))
            continue
        settled.steps.append((entry, after))
        settled.entry = after
        settled.created += entry is None
        settled.updated += entry is not None
    return settled


def _after(row: Row, entry: Known | None, target: Target, new_id: Callable[[], UUID]) -> Known:
    draft = target.state == "draft"
    if entry is None:
        return Known(new_id(), 1, target.state, None if draft else target.sub, target.sub, row.work)
    if draft:
        return replace(entry, version=entry.version + 1, work=row.work)
    return replace(entry, version=entry.version + 1, work=row.work, status=target.state, submitted_by=target.sub)


def _refused(entry: Known | None, after: Known, target: Target) -> tuple[str, str] | None:
    """Reason and detail; None when the row takes effect."""
    both = [after] if entry is None else [entry, after]
    kept = None if entry is None else _fixed(entry, after, target)
    if kept is not None:
        return kept
    if not reaches(target.editing, after):
        return "forbidden", "the entry would be somebody else's"
    if target.state == "approved":
        if not all(reaches(target.deciding, one) for one in both):
            return "forbidden", "its project is not among the token's projects"
        if not target.self_approval and is_own_approval(target.sub, after.resource, None):
            return "self_approval", "nobody approves what they are the resource of"
    return None


def _fixed(entry: Known, after: Known, target: Target) -> tuple[str, str] | None:
    """Reason and detail why a known entry stays as it is."""
    if not reaches(target.editing, entry):
        return "forbidden", "the entry is somebody else's"
    if entry.status not in EDITABLE:
        return "wrong_state", f"the entry is {entry.status}, and the row differs from it"
    if entry.work.entry_class != after.work.entry_class:
        return "validation", f"class: the entry is of the class {entry.work.entry_class}, which is fixed"
    return None
