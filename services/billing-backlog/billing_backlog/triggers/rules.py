"""What a trigger does: the backlog's own row decides. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

Outcome = Literal["run", "waits", "has_run", "no_row", "not_active", "failed"]


@dataclass(frozen=True, slots=True)
class Due:
    """A trigger, by its natural key: whatever else it says is for information."""

    contract_id: UUID
    contract_line_id: UUID
    run_date: date

    @property
    def key(self) -> tuple[UUID, date]:
        return self.contract_line_id, self.run_date


@dataclass(frozen=True, slots=True)
class CurrentRow:
    """The row that a schedule has now for a (line, run date)."""

    id: UUID
    schedule_id: UUID
    contract_id: UUID
    cut_off: date
    status: str


def outcome(due: Due, row: CurrentRow | None, contract_status: str | None, today: date | None) -> Outcome:
    """What the trigger does, by the row and the contract as they are under the contract's lock.

    `today` is the contract's day. A row that ran, was moved away or never was makes the trigger do nothing: it may
    come twice, late, or from somebody else. One ahead of its day waits for it (design §5.12).
    """
    if row is None or row.contract_id != due.contract_id:
        return "no_row"
    if row.status != "not_run":
        return "has_run"
    if contract_status != "active" or today is None:
        return "not_active"
    return "waits" if due.run_date > today else "run"


def distinct(triggers: Iterable[Due]) -> list[Due]:
    """Each trigger once, oldest run date first; those of one contract and date stand together."""
    return sorted(set(triggers), key=lambda due: (due.run_date, due.contract_id, due.contract_line_id))
