"""What billing-backlog says of schedules, made short."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from proforma.db import fetch
from proforma.events.billing_backlog import ScheduleChanged, ScheduleEnded, ScheduleRow
from proforma.runtime import Runtime

TODAY = date(2026, 3, 2)
"""The tests' day in UTC: the clock stands at 09:00."""


def row(run_date: date, row_id: UUID | None = None) -> ScheduleRow:
    """A row with the usual cut-off, the day before."""
    return ScheduleRow(id=row_id or uuid4(), run_date=run_date, cut_off=run_date - timedelta(days=1))


class Line:
    """One contract line with its schedule, as billing-backlog sees it."""

    def __init__(self, zone: str = "UTC", contract_id: UUID | None = None) -> None:
        self.contract_id = contract_id or uuid4()
        self.id = uuid4()
        self.schedule_id = uuid4()
        self.zone = zone

    def changed(self, version: int, rows: Iterable[ScheduleRow | date], zone: str | None = None) -> ScheduleChanged:
        """These are the unrun rows at this version."""
        return ScheduleChanged(
            contract_id=self.contract_id,
            contract_line_id=self.id,
            schedule_id=self.schedule_id,
            schedule_version=version,
            time_zone=zone or self.zone,
            rows=[one if isinstance(one, ScheduleRow) else row(one) for one in rows],
        )

    def ended(self, version: int) -> ScheduleEnded:
        """The line has no schedule from this version on."""
        return ScheduleEnded(
            contract_id=self.contract_id,
            contract_line_id=self.id,
            schedule_id=self.schedule_id,
            schedule_version=version,
        )


async def statuses(runtime: Runtime, line: Line) -> dict[date, str]:
    """Run date → status of a line's triggers; a date with several shows them all, sorted."""
    rows = await all_triggers(runtime)
    found: dict[date, list[str]] = {}
    for one in rows:
        if one["contract_line_id"] == line.id:
            found.setdefault(one["run_date"], []).append(one["status"])
    return {day: ", ".join(sorted(several)) for day, several in sorted(found.items())}


async def all_triggers(runtime: Runtime) -> list[dict[str, Any]]:
    """Every trigger, by run date and line."""
    async with runtime.database.transaction() as session:
        return [dict(one) for one in await fetch(session, "select * from triggers order by run_date, row_id")]


def noon(day: date) -> datetime:
    """Noon of the day, UTC."""
    return datetime.fromisoformat(f"{day}T12:00:00Z")
