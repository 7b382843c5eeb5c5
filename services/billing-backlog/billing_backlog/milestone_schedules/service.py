"""Schedules of fixed-price lines: nobody writes them, the days of the milestones are their rows."""

from collections.abc import Collection, Mapping
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.milestone_schedules import queries
from billing_backlog.schedule_rows import service as schedule_rows
from billing_backlog.schedule_rows.queries import rows_of, taken_dates
from billing_backlog.schedule_rows.rules import generated_rows
from proforma.context import Context
from proforma.db import execute, fetch


async def milestones_changed(session: AsyncSession, context: Context, contract_line_ids: Collection[UUID]) -> None:
    """Brings the schedules of these lines into line with their open milestones, and says what changed.

    A fixed-price line of an active contract has one unrun row for each day of its milestones that are to be billed,
    cut off on that day, also where it has passed; without any it has no schedule. A day on which the line ran is not
    run again. Call it with the contracts locked and the milestones and their items written; lines of another kind,
    of drafts or deleted ones may be among them.
    """
    found = await fetch(session, queries.LINES, list(contract_line_ids))
    contracts: dict[UUID, UUID] = {row["id"]: row["contract_id"] for row in found}
    dates = await queries.dates_of(session, context.clock.now(), contracts)
    schedules = await queries.schedules_of(session, contract_line_ids)
    await schedule_rows.end(session, context, [one for line_id, one in schedules.items() if not dates.get(line_id)])
    held = {line_id: one for line_id, one in schedules.items() if dates.get(line_id)}
    changed = await _update(session, context, held, dates)
    await schedule_rows.raise_versions(session, context, changed)
    new = {line_id: contract_id for line_id, contract_id in contracts.items() if line_id not in schedules}
    made = await _make(session, context, new, dates)
    await schedule_rows.announce(session, context, [*changed, *made])


async def contract_activated(session: AsyncSession, context: Context, contract_id: UUID) -> None:
    """Makes the schedules of a contract's fixed-price lines, when it becomes active."""
    lines = [row["id"] for row in await fetch(session, queries.OF_CONTRACT, contract_id)]
    await milestones_changed(session, context, lines)


async def _update(
    session: AsyncSession, context: Context, schedules: Mapping[UUID, UUID], dates: Mapping[UUID, Collection[date]]
) -> list[UUID]:
    rows = await rows_of(session, schedules.values())
    removed: list[UUID] = []
    added: list[schedule_rows.NewRow] = []
    changed = set[UUID]()
    for line_id, schedule_id in schedules.items():
        wanted = {day: day for day in dates[line_id]}
        change = generated_rows(rows[schedule_id], wanted, (), from_day=date.min)
        removed += change.removed
        added += [(schedule_id, line_id, *row) for row in change.added]
        if change.removed:
            changed.add(schedule_id)
    await schedule_rows.drop(session, removed)
    return sorted(changed | await schedule_rows.insert_free(session, context, added))


async def _make(
    session: AsyncSession, context: Context, contracts: Mapping[UUID, UUID], dates: Mapping[UUID, Collection[date]]
) -> list[UUID]:
    days = [(line_id, day) for line_id in contracts for day in dates.get(line_id, ())]
    taken = await taken_dates(session, days)
    lines = list(dict.fromkeys(line_id for line_id, day in days if (line_id, day) not in taken))
    made = {line_id: context.ids() for line_id in lines}
    await execute(
        session, queries.INSERT, list(made.values()), [contracts[line_id] for line_id in lines], lines,
        context.clock.now(), context.actor,
    )  # fmt: skip
    rows = [(made[line_id], line_id, day, day) for line_id, day in days if (line_id, day) not in taken]
    await schedule_rows.insert(session, context, rows, generated=True)
    return list(made.values())
