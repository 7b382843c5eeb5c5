"""The triggers' SQL."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.triggers.rules import CurrentRow, Due
from proforma.db import fetch

CURRENT = """
select r.contract_line_id, r.run_date, r.id, r.schedule_id, s.contract_id, r.cut_off, r.status
from unnest($1::uuid[], $2::date[]) due (contract_line_id, run_date)
join schedule_rows r on r.contract_line_id = due.contract_line_id and r.run_date = due.run_date
join invoice_schedules s on s.id = r.schedule_id
"""
MARK = """
update schedule_rows r set status = marked.status, run_id = marked.run_id, claim_id = marked.claim_id, ran_at = $5
from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[]) marked (id, status, run_id, claim_id)
where r.id = marked.id and r.status = 'not_run'
returning r.schedule_id
"""
# The rows are part of what a reader of the schedule saw: an edit that was made without knowing of the run is stale.
TOUCH = "update invoice_schedules set version = version + 1, updated_at = $2 where id = any($1::uuid[])"

WAIT = """
insert into waiting_triggers (id, contract_id, contract_line_id, run_date, due_at, received_at)
select *, $6 from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::date[], $5::timestamptz[])
on conflict (contract_line_id, run_date) do update set due_at = excluded.due_at
"""
# With the contract: a trigger that names the wrong one does nothing, it must not end the wait of the right one.
DONE = """
delete from waiting_triggers w
using unnest($1::uuid[], $2::uuid[], $3::date[]) due (contract_id, contract_line_id, run_date)
where w.contract_id = due.contract_id and w.contract_line_id = due.contract_line_id and w.run_date = due.run_date
"""
DUE = """
select contract_id, contract_line_id, run_date from waiting_triggers
where due_at <= $1 order by due_at, id limit $2
"""
NEXT_DUE = "select due_at from waiting_triggers order by due_at, id limit 1"

PUT_OFF = """
update waiting_triggers w set due_at = $4
from unnest($1::uuid[], $2::uuid[], $3::date[]) due (contract_id, contract_line_id, run_date)
where w.contract_id = due.contract_id and w.contract_line_id = due.contract_line_id and w.run_date = due.run_date
"""


async def current_rows(session: AsyncSession, triggers: Sequence[Due]) -> dict[tuple[UUID, date], CurrentRow]:
    """(line, run date) → the row that a schedule has for it now."""
    found = await fetch(
        session, CURRENT, [due.contract_line_id for due in triggers], [due.run_date for due in triggers]
    )
    return {
        (row["contract_line_id"], row["run_date"]): CurrentRow(
            row["id"], row["schedule_id"], row["contract_id"], row["cut_off"], row["status"]
        )
        for row in found
    }
