"""SQL of the schedules that milestones make."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import fetch

LINES = """
select l.id, l.contract_id from contract_lines l join contracts c on c.id = l.contract_id
where l.id = any($1::uuid[]) and l.billing_method = 'fixed_price' and c.status = 'active' order by l.id
"""
OF_CONTRACT = "select id from contract_lines where contract_id = $1 and billing_method = 'fixed_price' order by id"
SCHEDULES = """
select contract_line_id, id from invoice_schedules
where contract_line_id = any($1::uuid[]) and source = 'milestones' and status = 'active'
"""
# One that a manual run took before its day may come back from its draft: its day stays. $2 is now.
DATES = """
select distinct i.contract_line_id, i.date
from contract_lines l join contracts c on c.id = l.contract_id
join items i on i.contract_id = l.contract_id and i.contract_line_id = l.id and i.source = 'milestone'
where l.id = any($1::uuid[])
  and (i.billing_status in ('unbilled', 'ready')
       or (i.billing_status = 'on_invoice' and i.date >= ($2::timestamptz at time zone c.time_zone)::date))
order by 1, 2
"""
INSERT = """
insert into invoice_schedules (id, contract_id, contract_line_id, source, schedule_version, status, version, created_at,
  created_by, updated_at)
select i, c, l, 'milestones', 1, 'active', 1, $4, $5, $4
from unnest($1::uuid[], $2::uuid[], $3::uuid[]) rows (i, c, l)
"""


async def dates_of(session: AsyncSession, now: datetime, line_ids: Collection[UUID]) -> Mapping[UUID, list[date]]:
    """Line → the days of its milestones that are to be billed, ascending, each once."""
    found: Mapping[UUID, list[date]] = defaultdict(list)
    for row in await fetch(session, DATES, list(line_ids), now):
        found[row["contract_line_id"]].append(row["date"])
    return found


async def schedules_of(session: AsyncSession, line_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Line → the schedule that its milestones made, where there is one."""
    return {row["contract_line_id"]: row["id"] for row in await fetch(session, SCHEDULES, list(line_ids))}
