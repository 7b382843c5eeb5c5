"""SQL of marking many invoices as paid."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.payments.schemas import PaidFilter
from proforma.db import execute, fetch

_CONFIRMED = """
from invoices where status = 'confirmed'
  and ($2::text is null or kind = $2) and ($3::uuid is null or contract_id = $3)
  and ($4::uuid is null or customer_id = $4) and ($5::text is null or number = $5)
  and ($6::uuid is null or run_id = $6) and ($7::date is null or invoice_date >= $7)
  and ($8::date is null or invoice_date <= $8)
"""
MATCHING = f"select id {_CONFIRMED} order by id limit $1"
TARGETS = f"""
insert into job_targets (job_id, n, target_id) select $1, row_number() over (order by id), id {_CONFIRMED}
"""


async def matching(session: AsyncSession, wanted: PaidFilter, most: int) -> list[UUID]:
    """Ids of confirmed invoices under a filter, `most` at the most."""
    return [row["id"] for row in await fetch(session, MATCHING, most, *_values(wanted))]


async def fix_targets(session: AsyncSession, job_id: UUID, wanted: PaidFilter) -> int:
    """Makes the confirmed invoices under a filter a job's targets; returns how many."""
    return await execute(session, TARGETS, job_id, *_values(wanted))


def _values(wanted: PaidFilter) -> list[Any]:
    return [
        wanted.kind, wanted.contract_id, wanted.customer_id, wanted.number, wanted.run_id, wanted.invoice_date_from,
        wanted.invoice_date_to,
    ]  # fmt: skip
