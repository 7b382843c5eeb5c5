"""SQL of correctives: a whole invoice, 200,000 details, in one statement."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import execute, fetch
from proforma.money import minor_units

# The original is locked, so nobody else puts its details on a corrective; those that are on one stand in the index.
STATE = """
select count(*)::int as found, count(*) filter (where o.quantity > 0 and r.id is null)::int as live,
       count(*) filter (where i.status not in ('confirmed', 'paid'))::int as held,
       min(r.invoice_id::text) filter (where i.status not in ('confirmed', 'paid')) as held_by
from invoice_details o
left join invoice_details r on r.original_detail_id = o.id
left join invoices i on i.id = r.invoice_id
where o.invoice_id = $1 and ($2::uuid[] is null or o.id = any($2))
"""
# Without a claim, because a corrective releases nothing; and without `written_off_from`: it is billed for itself.
TAKE = """
with made as (
  insert into invoice_details (
    invoice_id, id, contract_line_id, item_id, entry_id, class, source, project, task, resource, role, category,
    product, date, quantity, unit, price, amount, tax, billing_type, description, external_description,
    was_quantity, was_price, was_amount, was_tax, was_billing_type, original_detail_id, returned_by)
  select $3, ($4::uuid[])[row_number() over (order by o.id)], o.contract_line_id, o.item_id, o.entry_id, o.class,
         o.source, o.project, o.task, o.resource, o.role, o.category, o.product, o.date, 0.00, o.unit, o.price,
         round(0::numeric, $5), round(0::numeric, $5), o.billing_type, o.description, o.external_description,
         o.quantity, o.price, o.amount, o.tax, o.billing_type, o.id,
         case when o.source = 'backlog' and o.quantity < o.was_quantity
                   and (o.remainder = 'return' or o.original_detail_id is not null)
              then o.id else o.returned_by end
  from invoice_details o
  where o.invoice_id = $1 and ($2::uuid[] is null or o.id = any($2)) and o.quantity > 0
    and not exists (select from invoice_details r where r.original_detail_id = o.id)
  returning contract_line_id, billing_type, was_amount, was_tax)
select contract_line_id, billing_type, count(*)::int as details, -sum(was_amount) as amount, -sum(was_tax) as tax
from made group by contract_line_id, billing_type
"""
TAKE_LINES = """
insert into invoice_lines (invoice_id, id, contract_line_id, name, kind, billing_method, includes, cut_off,
                           chargeable, non_chargeable, complimentary, tax, total, details)
select $2, fresh.id, l.contract_line_id, l.name, l.kind, l.billing_method, l.includes, l.cut_off,
       zero, zero, zero, zero, zero, 0
from unnest($3::uuid[], $4::uuid[]) fresh (contract_line_id, id)
join invoice_lines l on l.invoice_id = $1 and l.contract_line_id = fresh.contract_line_id,
round(0::numeric, $5) zero
"""


async def state(session: AsyncSession, invoice_id: UUID, ids: Sequence[UUID] | None) -> Mapping[str, Any]:
    """What can be corrected of a locked invoice, or of these details of it, in numbers: see `rules.check_details`."""
    (row,) = await fetch(session, STATE, invoice_id, ids)
    return dict(row)


async def take(
    session: AsyncSession,
    original_id: UUID,
    ids: Sequence[UUID] | None,
    corrective_id: UUID,
    fresh: Sequence[UUID],
    currency: str,
) -> list[asyncpg.Record]:
    """Puts the live details at zero on to the corrective; returns what that adds, by contract line and billing type."""
    return await fetch(session, TAKE, original_id, ids, corrective_id, list(fresh), minor_units(currency))


async def take_lines(
    session: AsyncSession, original_id: UUID, corrective_id: UUID, fresh: Mapping[UUID, UUID], currency: str
) -> None:
    """Copies the lines of these contract lines, empty, under fresh ids."""
    units = minor_units(currency)
    await execute(session, TAKE_LINES, original_id, corrective_id, list(fresh), list(fresh.values()), units)
