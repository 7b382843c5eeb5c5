"""Reads and locks of invoice schedules.

The contract is locked here by its own statement, not by the contracts' module: that one calls this one when a
contract's terms change.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.schedules.rules import Row
from billing_backlog.schedules.schemas import InvoiceScheduleFilter, InvoiceScheduleWithRows
from billing_backlog.schedules.tables import InvoiceSchedule
from proforma.db import fetch
from proforma.errors import NotFound
from proforma.pages import after_id

LINES = "select id, contract_id from contract_lines where id = any($1::uuid[])"
LOCK = "select id, status from contracts where id = any($1::uuid[]) order by id for update"
ACTIVE_OF = (
    "select contract_line_id, id from invoice_schedules where contract_line_id = any($1::uuid[]) and status = 'active'"
)
TAKEN = """
select r.contract_line_id, r.run_date, r.schedule_id
from unnest($1::uuid[], $2::date[]) wanted (contract_line_id, run_date)
join schedule_rows r on r.contract_line_id = wanted.contract_line_id and r.run_date = wanted.run_date
where r.status <> 'failed'
"""
DROP_FAILED = """
delete from schedule_rows r using unnest($1::uuid[], $2::date[]) wanted (contract_line_id, run_date)
where r.contract_line_id = wanted.contract_line_id and r.run_date = wanted.run_date and r.status = 'failed'
"""
INSERT_ROWS = """
insert into schedule_rows (id, schedule_id, contract_line_id, run_date, cut_off)
select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::date[], $5::date[])
"""
ROWS = "select id, run_date, cut_off, status from schedule_rows where schedule_id = $1 order by run_date"
NEXT = """
s.*, (select min(run_date) from schedule_rows r where r.schedule_id = s.id and r.status = 'not_run') as next_run_date
"""
PAGE = f"""
select {NEXT} from invoice_schedules s
where ($1::uuid is null or s.id > $1) and ($2::uuid is null or s.contract_id = $2)
  and ($3::uuid is null or s.contract_line_id = $3) and ($4::text is null or s.status = $4)
  and ($5::text is null or s.external_id = $5)
order by s.id limit $6
"""
SHOWN = f"select {NEXT} from invoice_schedules s where s.id = any($1::uuid[]) order by s.id"
SHOWN_ROWS = """
select r.schedule_id, r.id, r.run_date, r.cut_off, r.status, r.ran_at, r.run_id,
       case when c.invoice_id is null then '{}' else array[c.invoice_id] end as invoices
from schedule_rows r left join claims c on c.id = r.claim_id and c.status = 'drafted'
where r.schedule_id = any($1::uuid[]) order by r.schedule_id, r.run_date
"""
TO_ANNOUNCE = """
select s.id, s.contract_id, s.contract_line_id, s.schedule_version, c.time_zone
from invoice_schedules s join contracts c on c.id = s.contract_id
where s.status = 'active' and s.contract_id = any($1::uuid[]) and ($2::uuid[] is null or s.id = any($2)) order by s.id
"""
UNRUN = """
select schedule_id, id, run_date, cut_off from schedule_rows
where schedule_id = any($1::uuid[]) and status = 'not_run' order by schedule_id, run_date
"""


async def get_schedule(session: AsyncSession, schedule_id: UUID) -> InvoiceSchedule:
    """The schedule as it is now; raises NotFound."""
    found = await session.get(InvoiceSchedule, schedule_id, populate_existing=True)
    if found is None:
        raise NotFound(f"no invoice schedule {schedule_id}")
    return found


async def lock_schedule(session: AsyncSession, schedule_id: UUID) -> tuple[InvoiceSchedule, str]:
    """The schedule and its contract's status, with the contract locked; raises NotFound.

    The contract's lock stands for all of its schedules: a run of the contract holds it too, so no row runs while it
    is being replaced. The schedule is read again behind it. A schedule never changes its contract.
    """
    contract_id = (await get_schedule(session, schedule_id)).contract_id
    statuses = await lock_contracts(session, [contract_id])
    return await get_schedule(session, schedule_id), statuses[contract_id]


async def lock_contracts(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, str]:
    """Contracts locked FOR UPDATE in the order of their ids: id → status under the lock."""
    return {row["id"]: row["status"] for row in await fetch(session, LOCK, list(set(ids)))}


async def active_of(session: AsyncSession, line_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Line → its active schedule, of the lines that have one."""
    return {row["contract_line_id"]: row["id"] for row in await fetch(session, ACTIVE_OF, list(line_ids))}


async def rows_of(session: AsyncSession, schedule_id: UUID) -> list[Row]:
    """The schedule's rows, by run date."""
    return [Row(**row) for row in await fetch(session, ROWS, schedule_id)]


async def taken_dates(session: AsyncSession, wanted: Sequence[tuple[UUID, date]]) -> dict[tuple[UUID, date], UUID]:
    """Those of the (line, run date) that have a row already, other than a failed one, with its schedule."""
    found = await fetch(session, TAKEN, [line for line, _ in wanted], [day for _, day in wanted])
    return {(row["contract_line_id"], row["run_date"]): row["schedule_id"] for row in found}


async def page(session: AsyncSession, wanted: InvoiceScheduleFilter) -> list[asyncpg.Record]:
    """limit + 1 schedules, by id, without their rows."""
    return await fetch(
        session, PAGE, after_id(wanted.after), wanted.contract_id, wanted.contract_line_id, wanted.status,
        wanted.external_id, wanted.limit + 1,
    )  # fmt: skip


async def shown(session: AsyncSession, ids: Sequence[UUID]) -> list[InvoiceScheduleWithRows]:
    """Schedules as the API shows them, in the order of `ids`; those that exist."""
    rows: Mapping[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in await fetch(session, SHOWN_ROWS, list(ids)):
        rows[row["schedule_id"]].append(dict(row))
    found = {row["id"]: row for row in await fetch(session, SHOWN, list(ids))}
    return [InvoiceScheduleWithRows.model_validate({**found[one], "rows": rows[one]}) for one in ids if one in found]
