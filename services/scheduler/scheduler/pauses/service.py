"""Holds a schedule's triggers back, and lets them go."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.bodies import Page
from proforma.context import Context
from proforma.db import execute, fetch_one
from proforma.errors import Conflict, NotFound
from proforma.http import match
from proforma.pages import cut
from scheduler.pauses import queries
from scheduler.pauses.rules import Action, changes
from scheduler.pauses.schemas import HistoryOut, HistoryQuery
from scheduler.schedules import service as schedules
from scheduler.schedules.schemas import ScheduleWithRows
from scheduler.triggers import service as triggers

Effect = Callable[[AsyncSession, Context, UUID], Awaitable[triggers.Released]]
"""What the action does to the schedule's triggers."""


async def pause(
    session: AsyncSession, context: Context, schedule_id: UUID, expected: int | None, reason: str | None
) -> ScheduleWithRows:
    """Nothing of the schedule is published until it is resumed; a paused one stays as it is.

    Raises NotFound, Stale, Conflict (`wrong_state`: it has ended).
    """
    return await _do(session, context, schedule_id, expected, "paused", reason, triggers.hold)


async def resume(
    session: AsyncSession, context: Context, schedule_id: UUID, expected: int | None, reason: str | None
) -> ScheduleWithRows:
    """Publishes the latest trigger that became due meanwhile, and none of the earlier ones, ever.

    One invoice bills all that is ready up to its cut-off: the earlier rows would bill nothing more. A schedule that
    is not paused stays as it is. Raises NotFound, Stale.
    """
    return await _do(session, context, schedule_id, expected, "resumed", reason, triggers.release)


async def _do(
    session: AsyncSession, context: Context, schedule_id: UUID, expected: int | None, action: Action,
    reason: str | None, effect: Effect,
) -> ScheduleWithRows:  # fmt: skip
    # The schedule's row first, as its changes do: its triggers are then as they will be decided on.
    schedule = await fetch_one(session, queries.LOCK, schedule_id)
    if schedule is None:
        raise NotFound(f"no schedule {schedule_id}")
    match(schedule["version"], expected)
    wanted = changes(action, schedule["status"], schedule["paused"])
    if isinstance(wanted, str):
        raise Conflict(wanted)
    if wanted:
        now = context.clock.now()
        since, by = (now, context.actor) if action == "paused" else (None, None)
        await execute(session, queries.MARK, schedule_id, since, by, now)
        done = await effect(session, context, schedule_id)
        await execute(
            session, queries.KEEP, schedule_id, context.ids(), action, now, context.actor, reason,
            done.published, done.superseded,
        )  # fmt: skip
    return await schedules.show(session, schedule_id)


async def history(session: AsyncSession, schedule_id: UUID, wanted: HistoryQuery) -> Page[HistoryOut]:
    """Who paused and resumed it, oldest first; raises NotFound."""
    await schedules.show(session, schedule_id)
    rows, following = cut(await queries.history(session, schedule_id, wanted), wanted.limit, lambda row: row.id)
    return Page(items=[HistoryOut.model_validate(row) for row in rows], next=following)
