"""Reads and locks of invoice schedules."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.frequencies.schemas import read
from billing_backlog.schedule_rows.queries import lock_contracts
from billing_backlog.schedules.rules import LineFacts
from billing_backlog.schedules.schemas import InvoiceScheduleFilter, InvoiceScheduleWithRows
from billing_backlog.schedules.tables import InvoiceSchedule
from proforma.db import fetch
from proforma.errors import NotFound
from proforma.pages import after_id

LINES = """
select l.id, l.contract_id, l.billing_method, l.billing_start, c.end_date, c.time_zone
from contract_lines l join contracts c on c.id = l.contract_id where l.id = any($1::uuid[])
"""
ACTIVE_OF = (
    "select contract_line_id, id from invoice_schedules where contract_line_id = any($1::uuid[]) and status = 'active'"
)
OF_CONTRACT = """
select id from invoice_schedules where contract_id = $1 and status = 'active' order by id
"""
_SHOWN = """
s.id, s.external_id, s.version, s.created_at, s.created_by, s.updated_at, s.contract_id, s.contract_line_id, s.source,
s.frequency, s.cut_off_days_before, s.schedule_version, s.status,
case when s.source = 'frequency' then coalesce(s.start_date, l.billing_start, s.first_day) end as start,
case when s.source = 'frequency' then coalesce(s.end_date, c.end_date) end as "end",
(select min(run_date) from schedule_rows r where r.schedule_id = s.id and r.status = 'not_run') as next_run_date
from invoice_schedules s join contracts c on c.id = s.contract_id
left join contract_lines l on l.id = s.contract_line_id
"""
PAGE = f"""
select {_SHOWN} where ($1::uuid is null or s.id > $1) and ($2::uuid is null or s.contract_id = $2)
  and ($3::uuid is null or s.contract_line_id = $3) and ($4::text is null or s.status = $4)
  and ($5::text is null or s.external_id = $5)
order by s.id limit $6
"""
SHOWN = f"select {_SHOWN} where s.id = any($1::uuid[]) order by s.id"
SHOWN_ROWS = """
select r.schedule_id, r.id, r.run_date, r.cut_off, r.status, r.generated, r.ran_at, r.run_id,
       case when c.invoice_id is null then '{}' else array[c.invoice_id] end as invoices
from schedule_rows r left join claims c on c.id = r.claim_id and c.status = 'drafted'
where r.schedule_id = any($1::uuid[]) order by r.schedule_id, r.run_date
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


async def facts_of(session: AsyncSession, line_ids: Collection[UUID]) -> dict[UUID, LineFacts]:
    """Those of the lines that exist, with what a schedule must know of them."""
    return {
        row["id"]: LineFacts(
            row["contract_id"], row["billing_method"], row["billing_start"], row["end_date"], row["time_zone"]
        )
        for row in await fetch(session, LINES, list(line_ids))
    }


async def of_contract(session: AsyncSession, contract_id: UUID) -> list[UUID]:
    """The contract's active schedules."""
    return [row["id"] for row in await fetch(session, OF_CONTRACT, contract_id)]


async def active_of(session: AsyncSession, line_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Line → its active schedule, of the lines that have one."""
    return {row["contract_line_id"]: row["id"] for row in await fetch(session, ACTIVE_OF, list(line_ids))}


async def page(session: AsyncSession, wanted: InvoiceScheduleFilter) -> list[dict[str, Any]]:
    """limit + 1 schedules, by id, without their rows."""
    found = await fetch(
        session, PAGE, after_id(wanted.after), wanted.contract_id, wanted.contract_line_id, wanted.status,
        wanted.external_id, wanted.limit + 1,
    )  # fmt: skip
    return [_fields(row) for row in found]


async def shown(session: AsyncSession, ids: Sequence[UUID]) -> list[InvoiceScheduleWithRows]:
    """Schedules as the API shows them, in the order of `ids`; those that exist."""
    rows: Mapping[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in await fetch(session, SHOWN_ROWS, list(ids)):
        rows[row["schedule_id"]].append(dict(row))
    found = {row["id"]: _fields(row) for row in await fetch(session, SHOWN, list(ids))}
    return [InvoiceScheduleWithRows.model_validate({**found[one], "rows": rows[one]}) for one in ids if one in found]


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "frequency": read(row["frequency"]) if row["frequency"] else None}
