"""The triggers' SQL."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from proforma.pages import after_id
from scheduler.triggers.schemas import TriggerFilter
from scheduler.triggers.tables import Trigger

CANCEL = """
update triggers t set status = 'canceled', held = false, version = version + 1, updated_at = $4
where t.status = 'upcoming' and t.schedule_id = any($1::uuid[])
  and not exists (
    select from unnest($2::uuid[], $3::date[]) kept (row_id, run_date)
    where kept.row_id = t.row_id and kept.run_date = t.run_date)
"""

# A published or superseded trigger stays so whatever is announced afterwards: nothing makes a row run twice, or after a
# later one that has billed its work.
KEEP = """
insert into triggers (id, schedule_id, schedule_version, contract_id, contract_line_id, row_id, run_date, cut_off,
  due_at, status, held, version, created_at, created_by, updated_at)
select id, schedule_id, schedule_version, contract_id, contract_line_id, row_id, run_date, cut_off,
  due_at, 'upcoming', held, 1, $11, $12, $11
from unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::uuid[], $6::uuid[], $7::date[], $8::date[],
  $9::timestamptz[], $10::boolean[]) rows (id, schedule_id, schedule_version, contract_id, contract_line_id, row_id,
  run_date, cut_off, due_at, held)
order by contract_line_id, run_date, row_id
on conflict (contract_line_id, run_date, row_id) do update set
  schedule_id = excluded.schedule_id, schedule_version = excluded.schedule_version,
  contract_id = excluded.contract_id, cut_off = excluded.cut_off, due_at = excluded.due_at,
  status = 'upcoming', held = excluded.held, version = triggers.version + 1, updated_at = excluded.updated_at
where triggers.status in ('upcoming', 'canceled')
"""

# Oldest first. Who finds a row locked leaves it: a schedule's change is under way that may cancel it, and its end
# wakes the publisher.
PUBLISH = """
with due as (
  select id from triggers
  where status = 'upcoming' and not held and due_at <= $1 and ($3::date is null or run_date = $3)
  order by due_at, id limit $2 for update skip locked)
update triggers t set status = 'published', published_at = $1, version = version + 1, updated_at = $1
from due where t.id = due.id and t.status = 'upcoming' and not t.held
returning t.contract_id, t.contract_line_id, t.run_date, t.row_id, t.schedule_version, t.due_at
"""

NEXT_DUE = "select due_at from triggers where status = 'upcoming' and not held order by due_at, id limit 1"

HOLD = """
update triggers set held = true, version = version + 1, updated_at = $2 where schedule_id = $1 and status = 'upcoming'
"""
RELEASE = """
with latest as (
  select id from triggers where schedule_id = $1 and held and due_at <= $2
  order by run_date desc, due_at desc, id desc limit 1)
update triggers t set held = false, version = t.version + 1, updated_at = $2,
  status = case when t.due_at > $2 then 'upcoming' when latest.id is null then 'superseded' else 'published' end,
  published_at = case when latest.id is not null then $2 end
from triggers other left join latest using (id)
where other.id = t.id and other.schedule_id = $1 and other.held
returning t.id, t.status, t.contract_id, t.contract_line_id, t.run_date, t.row_id, t.schedule_version, t.due_at
"""

# One number for the whole fleet: who holds it publishes.
TRY_LOCK = "select pg_try_advisory_xact_lock(hashtextextended($1, 0))"
LOCK = "select pg_advisory_xact_lock(hashtextextended($1, 0))"


async def page(session: AsyncSession, filters: TriggerFilter) -> Sequence[Trigger]:
    """One row more than the page holds, in the order of ids."""
    wanted = select(Trigger).order_by("id").limit(filters.limit + 1)
    for name in ("contract_id", "contract_line_id", "run_date", "status"):
        value = getattr(filters, name)
        if value is not None:
            wanted = wanted.where(getattr(Trigger, name) == value)
    after = after_id(filters.after)
    if after is not None:
        wanted = wanted.where(col(Trigger.id) > after)
    return (await session.scalars(wanted)).all()


async def of_schedule(session: AsyncSession, schedule_id: UUID) -> Sequence[Trigger]:
    """All but the canceled ones of a schedule, by run date: 400 ahead and one a day behind at most."""
    wanted = select(Trigger).filter_by(schedule_id=schedule_id).where(col(Trigger.status) != "canceled")
    return (await session.scalars(wanted.order_by("run_date", "id"))).all()
