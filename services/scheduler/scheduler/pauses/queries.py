"""The pauses' SQL."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from proforma.pages import after_id
from scheduler.pauses.schemas import HistoryQuery
from scheduler.pauses.tables import ScheduleHistory

LOCK = "select version, status, paused_at is not null as paused from schedules where id = $1 for update"
MARK = """
update schedules set paused_at = $2, paused_by = $3, version = version + 1, updated_at = $4 where id = $1
"""
KEEP = """
insert into schedule_history (schedule_id, id, action, at, by, reason, published_trigger_id, superseded)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def history(session: AsyncSession, schedule_id: UUID, wanted: HistoryQuery) -> Sequence[ScheduleHistory]:
    """One row more than the page holds, oldest first."""
    sought = select(ScheduleHistory).filter_by(schedule_id=schedule_id).order_by("id").limit(wanted.limit + 1)
    after = after_id(wanted.after)
    if after is not None:
        sought = sought.where(col(ScheduleHistory.id) > after)
    return (await session.scalars(sought)).all()
