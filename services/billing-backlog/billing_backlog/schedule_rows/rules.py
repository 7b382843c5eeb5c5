"""Rules of a schedule's rows: what may stand beside what, what an edit and what generating does to them. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal
from uuid import UUID

RowStatus = Literal["not_run", "successful", "skipped", "failed"]
RAN = frozenset({"successful", "skipped"})

ROWS_MAX = 400
CUT_OFF_DAYS_DEFAULT = 1
CUT_OFF_DAYS_MAX = 31


@dataclass(frozen=True, slots=True)
class WantedRow:
    """A row as it was sent; without a cut-off it lies the schedule's number of days before the run date."""

    run_date: date
    cut_off: date | None = None

    def cut_off_or(self, days_before: int = CUT_OFF_DAYS_DEFAULT) -> date:
        return self.cut_off if self.cut_off is not None else self.run_date - timedelta(days=days_before)


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is kept. A generated one follows the schedule's terms, any other was named by hand."""

    id: UUID
    run_date: date
    cut_off: date
    status: str
    generated: bool = False


@dataclass(frozen=True, slots=True)
class Replacement:
    """What an edit removes and adds; `errors` by pointer, and where there are some, nothing is done."""

    removed: Sequence[UUID] = ()
    added: Sequence[tuple[date, date]] = ()
    errors: Sequence[dict[str, Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.removed or self.added)


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


def replace_rows(
    rows: Sequence[Row], wanted: Sequence[WantedRow], days_before: int = CUT_OFF_DAYS_DEFAULT
) -> Replacement:
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
        cut_off = want.cut_off_or(days_before)
        if row is not None and row.status == "not_run":
            if row.cut_off == cut_off:
                continue
            removed.append(row.id)
        added.append((want.run_date, cut_off))
    return Replacement(errors=errors) if errors else Replacement(removed, added)


def generated_rows(
    rows: Sequence[Row],
    wanted: Mapping[date, date],
    excepted: Collection[date],
    *,
    from_day: date,
) -> Replacement:
    """Brings generated rows into line with the terms: `wanted` is their run date → cut-off, ascending.

    Only generated rows that have not run and lie on or after `from_day` may go. What ran, what failed and what was
    named by hand stays, and keeps its date from being generated beside it; dates in `excepted` were taken out by
    hand. No more rows than 400 wait to run: the latest are left to a later day.
    """
    terms = {day: cut_off for day, cut_off in wanted.items() if day not in excepted}
    removed = [
        row.id
        for row in rows
        if row.generated and row.status == "not_run" and row.run_date >= from_day
        and terms.get(row.run_date) != row.cut_off
    ]  # fmt: skip
    gone = set(removed)
    kept = [row for row in rows if row.id not in gone]
    held = {row.run_date for row in kept}
    room = max(ROWS_MAX - sum(row.status == "not_run" for row in kept), 0)
    added = [(day, cut_off) for day, cut_off in terms.items() if day not in held]
    return Replacement(removed, added[:room])


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
