"""The schedules' SQL."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from proforma.pages import after_id
from scheduler.schedules.schemas import ScheduleFilter
from scheduler.schedules.tables import Schedule

# A lower or equal version changes nothing, in whatever order versions come. What was taken is locked, in order of ids.
TAKE = """
insert into schedules (id, contract_id, contract_line_id, schedule_version, time_zone, status, version, created_at,
  created_by, updated_at)
select id, contract_id, contract_line_id, schedule_version, time_zone, status, 1, $7, $8, $7
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::text[], $6::text[])
  rows (id, contract_id, contract_line_id, schedule_version, time_zone, status)
order by id
on conflict (id) do update set
  contract_id = excluded.contract_id, contract_line_id = excluded.contract_line_id,
  schedule_version = excluded.schedule_version, time_zone = coalesce(excluded.time_zone, schedules.time_zone),
  status = excluded.status, version = schedules.version + 1, updated_at = excluded.updated_at
where schedules.schedule_version < excluded.schedule_version
returning id, paused_at is not null as paused
"""


async def page(session: AsyncSession, filters: ScheduleFilter) -> Sequence[Schedule]:
    """One row more than the page holds, in the order of ids."""
    wanted = select(Schedule).order_by("id").limit(filters.limit + 1)
    for name in ("contract_id", "contract_line_id", "status"):
        value = getattr(filters, name)
        if value is not None:
            wanted = wanted.where(getattr(Schedule, name) == value)
    if filters.paused is not None:
        wanted = wanted.where(col(Schedule.paused_at).is_not(None) == filters.paused)
    after = after_id(filters.after)
    if after is not None:
        wanted = wanted.where(col(Schedule.id) > after)
    return (await session.scalars(wanted)).all()
