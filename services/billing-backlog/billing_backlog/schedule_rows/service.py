"""A schedule's rows: put in, taken out, replaced by hand, and said to whoever keeps a copy.

Every caller holds the contract's lock: a run of the contract takes it too, so no row runs while it is replaced.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.schedule_rows import queries
from billing_backlog.schedule_rows.rules import WantedRow, replace_rows, taken_errors
from proforma import outbox
from proforma.context import Context
from proforma.db import execute, fetch
from proforma.errors import Invalid
from proforma.events.billing_backlog import ScheduleChanged, ScheduleEnded, ScheduleRow

NewRow = tuple[UUID, UUID, date, date]
"""(schedule, contract line, run date, cut-off)"""


async def insert(session: AsyncSession, context: Context, rows: Sequence[NewRow], *, generated: bool) -> None:
    """Puts rows in under fresh ids: a date moved away and back must run again. They take the places of failed ones."""
    if not rows:
        return
    columns = [list(column) for column in zip(*rows, strict=True)]
    await execute(session, queries.DROP_FAILED, columns[1], columns[2])
    await execute(session, queries.INSERT, [context.ids() for _ in rows], *columns, generated)


async def insert_free(session: AsyncSession, context: Context, rows: Sequence[NewRow]) -> set[UUID]:
    """Puts generated rows in, but for dates on which their line ran before; returns the schedules that got some."""
    taken = await queries.taken_dates(session, [(line_id, day) for _, line_id, day, _ in rows])
    free = [row for row in rows if (row[1], row[2]) not in taken]
    await insert(session, context, free, generated=True)
    return {schedule_id for schedule_id, *_ in free}


async def drop(session: AsyncSession, ids: Collection[UUID]) -> None:
    """Takes rows out that have not run."""
    await execute(session, queries.DROP, list(ids))


async def replace(
    session: AsyncSession,
    context: Context,
    schedule_id: UUID,
    line_id: UUID,
    wanted: Sequence[WantedRow],
    days_before: int,
) -> bool:
    """Makes `wanted` the rows to come, by hand; False where they were so already. Raises Invalid naming each bad row.

    What is taken out is kept as an exception: generating must not bring it back.
    """
    rows = (await queries.rows_of(session, [schedule_id]))[schedule_id]
    change = replace_rows(rows, wanted, days_before)
    refuse(change.errors)
    await drop(session, change.removed)
    taken = await queries.taken_dates(session, [(line_id, run_date) for run_date, _ in change.added])
    refuse(taken_errors("", wanted, line_id, taken))
    added = [run_date for run_date, _ in change.added]
    gone = [row.run_date for row in rows if row.id in set(change.removed) and row.run_date not in added]
    await execute(session, queries.EXCEPT, schedule_id, gone)
    await execute(session, queries.EXCEPT_NO_MORE, schedule_id, added)
    named = [(schedule_id, line_id, run_date, cut_off) for run_date, cut_off in change.added]
    await insert(session, context, named, generated=False)
    return bool(change)


async def raise_versions(session: AsyncSession, context: Context, schedule_ids: Collection[UUID]) -> None:
    """New terms: whoever holds a copy takes the highest version."""
    await execute(session, queries.RAISE, list(schedule_ids), context.clock.now())


async def announce(session: AsyncSession, context: Context, schedule_ids: Collection[UUID]) -> None:
    """Says what these schedules are, those of active contracts: of others nobody is told."""
    schedules = await fetch(session, queries.TO_ANNOUNCE, list(schedule_ids))
    rows: Mapping[UUID, list[ScheduleRow]] = defaultdict(list)
    for row in await fetch(session, queries.UNRUN, [one["id"] for one in schedules]):
        rows[row["schedule_id"]].append(ScheduleRow(id=row["id"], run_date=row["run_date"], cut_off=row["cut_off"]))
    events = [
        ScheduleChanged(
            contract_id=one["contract_id"],
            contract_line_id=one["contract_line_id"],
            schedule_id=one["id"],
            schedule_version=one["schedule_version"],
            time_zone=one["time_zone"],
            rows=rows[one["id"]],
        )
        for one in schedules
    ]
    await outbox.emit(session, context, events)


async def end(session: AsyncSession, context: Context, schedule_ids: Collection[UUID]) -> None:
    """Ends schedules: what has not run goes, what ran stays to be seen."""
    ended = await fetch(session, queries.END, list(schedule_ids), context.clock.now())
    await execute(session, queries.DROP_UNRUN, [row["id"] for row in ended])
    events = [
        ScheduleEnded(
            contract_id=row["contract_id"],
            contract_line_id=row["contract_line_id"],
            schedule_id=row["id"],
            schedule_version=row["schedule_version"],
        )
        for row in ended
    ]
    await outbox.emit(session, context, events)


def refuse(errors: Collection[Mapping[str, str]]) -> None:
    """Raises Invalid where there are errors, naming the first hundred."""
    if errors:
        raise Invalid("the schedule is not valid", [dict(error) for error in list(errors)[:100]])
