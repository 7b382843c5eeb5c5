"""Rules of explicit schedule rows: what may stand beside what, and what an edit does to rows that ran. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal
from uuid import UUID

RowStatus = Literal["not_run", "successful", "skipped", "failed"]
RAN = frozenset({"successful", "skipped"})

ROWS_MAX = 400
FIRST_DATE = date(2000, 1, 1)
LAST_DATE = date(2199, 12, 31)

_CUT_OFF_BEFORE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WantedRow:
    """A row as it was sent; without a cut-off it is the day before the run date."""

    run_date: date
    cut_off: date | None = None

    def cut_off_or_default(self) -> date:
        return self.cut_off if self.cut_off is not None else self.run_date - _CUT_OFF_BEFORE


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is kept."""

    id: UUID
    run_date: date
    cut_off: date
    status: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """What an edit removes and adds; `errors` by pointer, and where there are some, nothing is done."""

    removed: Sequence[UUID] = ()
    added: Sequence[tuple[date, date]] = ()
    errors: Sequence[dict[str, Any]] = field(default_factory=list)


def row_errors(wanted: Sequence[WantedRow]) -> list[dict[str, Any]]:
    """What is wrong with rows by themselves, by pointer: a cut-off behind its run date, a run date twice."""
    errors, seen = [], dict[date, int]()
    for n, row in enumerate(wanted):
        if row.cut_off is not None and row.cut_off > row.run_date:
            errors.append({"pointer": f"/rows/{n}/cut_off", "detail": f"after the run date {row.run_date}"})
        if row.run_date in seen:
            detail = f"{row.run_date} is the run date of /rows/{seen[row.run_date]} too"
            errors.append({"pointer": f"/rows/{n}/run_date", "detail": detail})
        seen.setdefault(row.run_date, n)
    return errors


def replace_rows(rows: Sequence[Row], wanted: Sequence[WantedRow]) -> Replacement:
    """Makes `wanted` the rows to come.

    A row that ran stays, named or not, and cannot be given another cut-off. A row that has not run stays, with its
    id, where date and cut-off are the same, and is removed otherwise. A failed row stays as a record until its date
    is named: a new row takes its place then, and runs anew.
    """
    errors = row_errors(wanted)
    known = {row.run_date: row for row in rows}
    named = {row.run_date for row in wanted}
    removed = [row.id for row in rows if row.status == "not_run" and row.run_date not in named]
    added = []
    for n, want in enumerate(wanted):
        row = known.get(want.run_date)
        if row is not None and row.status in RAN:
            if want.cut_off not in (None, row.cut_off):
                detail = f"the row of {row.run_date} has run with the cut-off {row.cut_off}"
                errors.append({"pointer": f"/rows/{n}/cut_off", "detail": detail})
            continue
        cut_off = want.cut_off_or_default()
        if row is not None and row.status == "not_run":
            if row.cut_off == cut_off:
                continue
            removed.append(row.id)
        added.append((want.run_date, cut_off))
    return Replacement(errors=errors) if errors else Replacement(removed, added)


def taken_errors(
    at: str, wanted: Sequence[WantedRow], line_id: UUID, ran: Mapping[tuple[UUID, date], UUID]
) -> list[dict[str, Any]]:
    """Run dates on which the line ran under an earlier schedule: `ran` is (line, run date) → that schedule."""
    return [
        {
            "pointer": f"{at}/rows/{n}/run_date",
            "detail": f"the line ran on {row.run_date} under schedule {ran[line_id, row.run_date]}",
        }
        for n, row in enumerate(wanted)
        if (line_id, row.run_date) in ran
    ]
