"""SQL of a schedule's rows, and of telling whoever keeps a copy.

The contract is not asked for by its own module: that one calls on schedules when a contract's terms change.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.schedule_rows.rules import Row
from proforma.db import fetch

# No run that is planned will take it: `i` is an open item, `c` its contract, $1 now. A run from today on must reach its
# day, by its own line's cut-off for work; milestones and product lines go with any run of their contract.
_AHEAD = """
c.status = 'active' and i.billing_status in ('unbilled', 'ready') and not exists (
  select from schedule_rows planned {of}
  where planned.status = 'not_run' and planned.run_date >= ($1::timestamptz at time zone c.time_zone)::date and {takes})
"""
MISSING_FOR_WORK = _AHEAD.format(
    of="", takes="planned.contract_line_id = i.contract_line_id and planned.cut_off >= i.date"
)
MISSING_FOR_AGREED = _AHEAD.format(
    of="join invoice_schedules s on s.id = planned.schedule_id",
    takes="s.contract_id = i.contract_id and (i.source = 'product' or planned.run_date >= i.date)",
)

LOCK = "select id, status from contracts where id = any($1::uuid[]) order by id for update"
ROWS = """
select schedule_id, id, run_date, cut_off, status, generated from schedule_rows
where schedule_id = any($1::uuid[]) order by schedule_id, run_date
"""
TAKEN = """
select r.contract_line_id, r.run_date, r.schedule_id
from unnest($1::uuid[], $2::date[]) wanted (contract_line_id, run_date)
join schedule_rows r on r.contract_line_id = wanted.contract_line_id and r.run_date = wanted.run_date
where r.status in ('successful', 'skipped')
"""
DROP_FAILED = """
delete from schedule_rows r using unnest($1::uuid[], $2::date[]) wanted (contract_line_id, run_date)
where r.contract_line_id = wanted.contract_line_id and r.run_date = wanted.run_date and r.status = 'failed'
"""
INSERT = """
insert into schedule_rows (id, schedule_id, contract_line_id, run_date, cut_off, generated)
select i, s, l, d, c, $6 from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::date[], $5::date[]) rows (i, s, l, d, c)
"""
DROP = "delete from schedule_rows where id = any($1::uuid[]) and status = 'not_run'"
DROP_UNRUN = "delete from schedule_rows where schedule_id = any($1::uuid[]) and status = 'not_run'"

EXCEPTIONS = "select schedule_id, run_date from schedule_exceptions where schedule_id = any($1::uuid[])"
EXCEPT = """
insert into schedule_exceptions (schedule_id, run_date) select $1, d from unnest($2::date[]) d on conflict do nothing
"""
EXCEPT_NO_MORE = "delete from schedule_exceptions where schedule_id = $1 and run_date = any($2::date[])"

RAISE = """
update invoice_schedules set schedule_version = schedule_version + 1, version = version + 1, updated_at = $2
where id = any($1::uuid[])
"""
END = """
update invoice_schedules set status = 'ended', schedule_version = schedule_version + 1, version = version + 1,
  extend_at = null, updated_at = $2
where status = 'active' and id = any($1::uuid[])
returning id, contract_id, contract_line_id, schedule_version
"""
TO_ANNOUNCE = """
select s.id, s.contract_id, s.contract_line_id, s.schedule_version, c.time_zone
from invoice_schedules s join contracts c on c.id = s.contract_id
where s.status = 'active' and c.status = 'active' and s.id = any($1::uuid[]) order by s.id
"""
UNRUN = """
select schedule_id, id, run_date, cut_off from schedule_rows
where schedule_id = any($1::uuid[]) and status = 'not_run' order by schedule_id, run_date
"""


async def lock_contracts(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, str]:
    """Contracts locked FOR UPDATE in the order of their ids: id → status under the lock."""
    return {row["id"]: row["status"] for row in await fetch(session, LOCK, list(set(ids)))}


async def rows_of(session: AsyncSession, schedule_ids: Collection[UUID]) -> Mapping[UUID, list[Row]]:
    """Schedule → its rows, by run date."""
    found: Mapping[UUID, list[Row]] = defaultdict(list)
    for row in await fetch(session, ROWS, list(schedule_ids)):
        found[row["schedule_id"]].append(
            Row(row["id"], row["run_date"], row["cut_off"], row["status"], row["generated"])
        )
    return found


async def exceptions_of(session: AsyncSession, schedule_ids: Collection[UUID]) -> Mapping[UUID, set[date]]:
    """Schedule → the run dates that were taken out of it by hand."""
    found: Mapping[UUID, set[date]] = defaultdict(set)
    for row in await fetch(session, EXCEPTIONS, list(schedule_ids)):
        found[row["schedule_id"]].add(row["run_date"])
    return found


async def taken_dates(session: AsyncSession, wanted: Sequence[tuple[UUID, date]]) -> dict[tuple[UUID, date], UUID]:
    """Those of the (line, run date) on which the line ran, with the schedule that it ran under."""
    found = await fetch(session, TAKEN, [line for line, _ in wanted], [day for _, day in wanted])
    return {(row["contract_line_id"], row["run_date"]): row["schedule_id"] for row in found}
