"""SQL of generating: the terms of schedules by frequency, and whose turn it is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.frequencies.rules import Terms
from billing_backlog.frequencies.schemas import read
from proforma.db import fetch

# The start follows the line's billing start, and the end the contract's, where the schedule does not say its own.
TERMS = """
select s.id, s.contract_line_id, s.frequency, coalesce(s.start_date, l.billing_start, s.first_day) as start,
       coalesce(s.end_date, c.end_date) as "end", s.cut_off_days_before, c.time_zone, c.status as contract_status
from invoice_schedules s join contracts c on c.id = s.contract_id
left join contract_lines l on l.id = s.contract_line_id
where s.status = 'active' and s.source = 'frequency'
  and (s.contract_id = any($1::uuid[]) or s.id = any($2::uuid[])) and ($3::uuid is null or s.contract_line_id = $3)
order by s.id
"""
EXTEND_AT = """
update invoice_schedules s set extend_at = w.at from unnest($1::uuid[], $2::timestamptz[]) w (id, at)
where s.id = w.id and s.status = 'active'
"""
DUE = """
select contract_id, id from invoice_schedules where extend_at <= $1 order by extend_at, id limit $2
"""
NEXT_DUE = "select extend_at from invoice_schedules where extend_at is not null order by extend_at, id limit 1"
PUT_OFF = "update invoice_schedules set extend_at = $2 where id = any($1::uuid[]) and extend_at is not null"


@dataclass(frozen=True, slots=True)
class Generated:
    """A schedule by frequency, as its rows are generated."""

    id: UUID
    contract_line_id: UUID
    terms: Terms
    time_zone: str
    contract_status: str


async def generated(
    session: AsyncSession, *, contracts: Collection[UUID] = (), ids: Collection[UUID] = (), line: UUID | None = None
) -> list[Generated]:
    """Active schedules by frequency, of these contracts or with these ids; of one line only, where it is named."""
    return [_generated(row) for row in await fetch(session, TERMS, list(contracts), list(ids), line)]


def _generated(row: Mapping[str, Any]) -> Generated:
    terms = Terms(read(row["frequency"]).rule(), row["start"], row["end"], row["cut_off_days_before"])
    return Generated(row["id"], row["contract_line_id"], terms, row["time_zone"], row["contract_status"])


async def due(session: AsyncSession, now: datetime, most: int) -> dict[UUID, list[UUID]]:
    """Contract → its schedules whose day for generating has begun, the earliest first, `most` schedules at the most."""
    found: dict[UUID, list[UUID]] = {}
    for row in await fetch(session, DUE, now, most):
        found.setdefault(row["contract_id"], []).append(row["id"])
    return found
