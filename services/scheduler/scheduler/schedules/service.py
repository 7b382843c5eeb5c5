"""Takes over what billing-backlog says of schedules."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.bodies import Page
from proforma.clock import day_begins
from proforma.context import Context
from proforma.db import fetch
from proforma.errors import BrokenRule, NotFound
from proforma.events.billing_backlog import ScheduleChanged, ScheduleEnded
from proforma.pages import cut
from scheduler.schedules import queries
from scheduler.schedules.rules import newest
from scheduler.schedules.schemas import ScheduleFilter, ScheduleOut, ScheduleRowOut, ScheduleWithRows
from scheduler.schedules.tables import Schedule
from scheduler.triggers import service as triggers


async def take(session: AsyncSession, context: Context, said: Iterable[ScheduleChanged | ScheduleEnded]) -> None:
    """Takes over the newest version of each schedule; what is not newer than the copy changes nothing.

    Raises BrokenRule where a schedule names a row or a run date twice, ValueError for a time zone that is none.
    """
    versions = newest(said)
    rows = {schedule_id: _rows(one) for schedule_id, one in versions.items()}
    taken = await _take(session, context, list(versions.values()))
    # A pause is nobody's terms: it stays whatever version comes.
    kept = [replace(row, held=paused) for schedule_id, paused in taken.items() for row in rows[schedule_id]]
    await triggers.replace(session, context, list(taken), kept)


async def _take(
    session: AsyncSession, context: Context, versions: Sequence[ScheduleChanged | ScheduleEnded]
) -> dict[UUID, bool]:
    """The schedules that were taken over; True for a paused one."""
    found = await fetch(
        session,
        queries.TAKE,
        [one.schedule_id for one in versions],
        [one.contract_id for one in versions],
        [one.contract_line_id for one in versions],
        [one.schedule_version for one in versions],
        [one.time_zone if isinstance(one, ScheduleChanged) else None for one in versions],
        ["active" if isinstance(one, ScheduleChanged) else "ended" for one in versions],
        context.clock.now(),
        context.actor,
    )
    return {row["id"]: row["paused"] for row in found}


def _rows(said: ScheduleChanged | ScheduleEnded) -> list[triggers.Row]:
    if isinstance(said, ScheduleEnded):
        return []
    for name, values in (("row", [row.id for row in said.rows]), ("run date", [row.run_date for row in said.rows])):
        if len(set(values)) < len(values):
            raise BrokenRule(f"schedule {said.schedule_id} version {said.schedule_version} names a {name} twice")
    return [
        triggers.Row(
            schedule_id=said.schedule_id,
            schedule_version=said.schedule_version,
            contract_id=said.contract_id,
            contract_line_id=said.contract_line_id,
            row_id=row.id,
            run_date=row.run_date,
            cut_off=row.cut_off,
            due_at=day_begins(row.run_date, said.time_zone),
            held=False,
        )
        for row in said.rows
    ]


async def page(session: AsyncSession, filters: ScheduleFilter) -> Page[ScheduleOut]:
    """One page of schedules in the order of ids, without their rows."""
    rows, following = cut(await queries.page(session, filters), filters.limit, lambda row: row.id)
    return Page(items=[ScheduleOut.model_validate(row) for row in rows], next=following)


async def show(session: AsyncSession, schedule_id: UUID) -> ScheduleWithRows:
    """One schedule with its rows; raises NotFound."""
    schedule = await session.get(Schedule, schedule_id)
    if schedule is None:
        raise NotFound(f"no schedule {schedule_id}")
    rows = [
        ScheduleRowOut.model_validate(
            {
                "id": one.row_id,
                "run_date": one.run_date,
                "cut_off": one.cut_off,
                "trigger_id": one.id,
                "status": one.status,
                "held": one.held,
            }
        )
        for one in await triggers.of_schedule(session, schedule_id)
    ]
    return ScheduleWithRows.model_validate({**schedule.model_dump(), "paused": schedule.paused, "rows": rows})
