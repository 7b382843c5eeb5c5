"""SQL of what a confirm settles first: rests that are written off, and correctives' details without a change.

Set-based and behind one look for anything edited: an invoice as it was claimed passes with that look alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import execute, fetch

# A chunk's weight is counted in details. One that was added by hand carries its texts: 512 bytes of them weigh as much
# as another detail, so that no chunk becomes larger than the outbox takes.
_TEXTS = ("unit", "project", "task", "resource", "role", "category", "product", "description", "external_description")
_BYTES = " + ".join(f"coalesce(octet_length({name}), 0)" for name in _TEXTS)
WEIGHT = f"""
1 + case when source = 'hand' and original_detail_id is null
         then least(({_BYTES}) / 512, greatest($2::int - 2, 0)) else 0 end
"""
EDITED = f"""
select invoice_id, count(*) filter (where remainder = 'write_off')::int as written_off,
       (sum({WEIGHT}) - count(*))::int as extra
from invoice_details where invoice_id = any($1::uuid[]) and (was_quantity is not null or source = 'hand')
group by invoice_id
"""
_SAME = "(quantity, price, amount, tax) = (was_quantity, was_price, was_amount, was_tax)"
CHANGED = f"""
select id from unnest($1::uuid[]) corrective (id)
where exists (select from invoice_details where invoice_id = corrective.id and not {_SAME})
"""
# What equals its original adds nothing to any total: the counts alone change.
DROP_UNCHANGED = f"""
with gone as (
  delete from invoice_details where invoice_id = any($1::uuid[]) and original_detail_id is not null and {_SAME}
  returning invoice_id, contract_line_id),
by_line as (select invoice_id, contract_line_id, count(*)::int as n from gone group by 1, 2),
lines as (
  update invoice_lines l set details = l.details - s.n from by_line s
  where l.invoice_id = s.invoice_id and l.contract_line_id = s.contract_line_id)
update invoices i set details = i.details - s.n
from (select invoice_id, sum(n)::int as n from by_line group by 1) s where i.id = s.invoice_id
"""
# The rest of the whole behind round(kept x price), or nothing where that is the whole, at the price that was claimed
# (proforma.money.kept_and_rest).
WRITE_OFF = """
with rests as (
  select d.*, ($3::uuid[])[row_number() over (order by d.invoice_id, d.id)] as fresh,
         d.was_quantity - d.quantity as rest,
         d.was_amount - least(round(d.quantity * d.was_price, c.units), d.was_amount) as rest_amount,
         d.was_tax - round(d.was_tax * d.quantity / d.was_quantity, c.units) as rest_tax,
         round(0::numeric, c.units) as nothing
  from invoice_details d join unnest($1::uuid[], $2::int[]) c (invoice_id, units) on c.invoice_id = d.invoice_id
  where d.remainder = 'write_off'),
made as (
  insert into invoice_details (
    invoice_id, id, contract_line_id, claim_id, item_id, entry_id, class, source, project, task, resource, role,
    category, product, date, quantity, unit, price, amount, tax, billing_type, description, external_description,
    was_quantity, was_price, was_amount, was_tax, was_billing_type, written_off_from)
  select invoice_id, fresh, contract_line_id, claim_id, item_id, entry_id, class, source, project, task, resource, role,
         category, product, date, rest, unit, was_price, rest_amount, nothing, 'non_chargeable', description,
         external_description, rest, was_price, rest_amount, rest_tax, was_billing_type, id
  from rests
  returning invoice_id, contract_line_id, amount),
by_line as (
  select invoice_id, contract_line_id, count(*)::int as n, sum(amount) as amount from made group by 1, 2),
lines as (
  update invoice_lines l set details = l.details + s.n, non_chargeable = l.non_chargeable + s.amount from by_line s
  where l.invoice_id = s.invoice_id and l.contract_line_id = s.contract_line_id)
update invoices i set details = i.details + s.n
from (select invoice_id, sum(n)::int as n from by_line group by 1) s where i.id = s.invoice_id
"""


async def edited(session: AsyncSession, ids: Sequence[UUID], most: int) -> dict[UUID, Mapping[str, Any]]:
    """Of invoices with edited or hand-added details: how many rests are `written_off`, the `extra` weight of texts."""
    return {row["invoice_id"]: row for row in await fetch(session, EDITED, list(ids), most)}


async def changed(session: AsyncSession, ids: Sequence[UUID]) -> set[UUID]:
    """The correctives that have a detail which differs from its original."""
    return {row["id"] for row in await fetch(session, CHANGED, list(ids))}


async def drop_unchanged(session: AsyncSession, ids: Sequence[UUID]) -> None:
    """Deletes the details of correctives that equal their originals: what they bill stays billed where it is."""
    await execute(session, DROP_UNCHANGED, list(ids))


async def write_off(session: AsyncSession, units: Mapping[UUID, int], fresh: Sequence[UUID]) -> None:
    """Makes a detail of every rest that is written off; `units` are the decimals of each invoice's currency."""
    await execute(session, WRITE_OFF, list(units), list(units.values()), list(fresh))
