"""SQL of confirming: control totals, numbers, and the event built inside the database."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.remainders.queries import WEIGHT
from invoicing.remainders.rules import Packing
from proforma.context import Context
from proforma.db import execute, fetch
from proforma.events.invoicing import InvoiceConfirmed
from proforma.outbox import CHANNEL
from proforma.telemetry import current_trace

SETTLE = """
update invoices i set
  accounting_date = coalesce(i.accounting_date, $2), confirmed_by = $3, confirmed_at = $4, version = i.version + 1,
  updated_at = $4, control_quantity = d.quantity, control_amount = d.amount, control_tax = d.tax
from (
  select invoice_id, count(*) as details, sum(quantity) as quantity, sum(amount) as amount, sum(tax) as tax,
         coalesce(sum(amount - case when original_detail_id is null then 0 else was_amount end)
           filter (where billing_type = 'chargeable'), 0) as subtotal,
         coalesce(sum(tax - case when original_detail_id is null then 0 else was_tax end)
           filter (where billing_type = 'chargeable'), 0) as chargeable_tax
  from invoice_details where invoice_id = any($1::uuid[]) group by invoice_id) d
where i.id = d.invoice_id and i.details = d.details and i.subtotal = d.subtotal and i.tax = d.chargeable_tax
returning i.id
"""
# Numbers that this database does not know to have given, from before it was restored.
STEP_PAST = """
insert into invoice_numbers (year, last) select year, max(last) from unnest($1::int[], $2::int[]) n (year, last)
group by year on conflict (year) do update set last = greatest(invoice_numbers.last, excluded.last)
"""
FIRST_OF_YEAR = "insert into invoice_numbers (year, last) values ($1, 0) on conflict do nothing"

# A detail is some 700 bytes at the most, so 500 of them stay below the 512 KiB of a chunk.
_PLAIN = """
select invoice_id, chunk, json_agg(detail order by n) as details, count(*) over (partition by invoice_id) as chunks
from (
  select invoice_id, n, (n - 1) / $2::int + 1 as chunk, json_build_object(
    'detail_id', id, 'item_id', item_id, 'claim_id', claim_id, 'source', source, 'class', class,
    'contract_line_id', contract_line_id, 'was', figures, 'now', figures) as detail
  from (
    select *, row_number() over (partition by invoice_id order by id) as n, json_build_object(
      'quantity', quantity::text, 'price', price::text, 'amount', amount::text, 'tax', tax::text,
      'billing_type', billing_type) as figures
    from invoice_details where invoice_id = any($1::uuid[])) numbered) details
group by invoice_id, chunk
"""
# What was edited or added by hand says more, at a third more time: texts weigh as much as other details, and a rest
# shares its detail's place in the order, and so its chunk, which is cut a detail earlier where there are such pairs.
_EDITED = f"""
select invoice_id, chunk, json_agg(detail order by n, id) as details,
       count(*) over (partition by invoice_id) as chunks
from (
  select invoice_id, n, id, (n - 1) / greatest($2::int - pairs::int, 1) + 1 as chunk,
    case when was_quantity is null and source <> 'hand' then json_build_object(
      'detail_id', id, 'item_id', item_id, 'claim_id', claim_id, 'source', source, 'class', class,
      'contract_line_id', contract_line_id, 'was', figures, 'now', figures)
    else json_build_object(
      'detail_id', id, 'item_id', item_id, 'claim_id', claim_id, 'source', source, 'class', class,
      'contract_line_id', contract_line_id, 'now', figures, 'was', case
        when was_quantity is not null then json_build_object(
          'quantity', was_quantity::text, 'price', was_price::text, 'amount', was_amount::text, 'tax', was_tax::text,
          'billing_type', was_billing_type) end,
      'remainder', remainder, 'written_off_from', written_off_from, 'original_detail_id', original_detail_id,
      'coding', case when source = 'hand' and original_detail_id is null then json_build_object(
        'date', date, 'unit', unit, 'project', project, 'task', task, 'resource', resource, 'role', role,
        'category', category, 'product', product, 'description', description,
        'external_description', external_description) end)
    end as detail
  from (
    select *, sum({WEIGHT}) over (partition by invoice_id order by coalesce(written_off_from, id)) as n,
      bool_or(written_off_from is not null) over (partition by invoice_id) as pairs,
      json_build_object(
        'quantity', quantity::text, 'price', price::text, 'amount', amount::text, 'tax', tax::text,
        'billing_type', billing_type) as figures
    from invoice_details where invoice_id = any($1::uuid[])) placed) details
group by invoice_id, chunk
"""
_INSERT = """
insert into outbox (event_id, topic, type, key, trace, body, created_at)
select ($3::uuid[])[row_number() over (order by i.id, c.chunk)], $4, $5, i.contract_id::text, $6, json_build_object(
  'invoice_id', i.id, 'number', i.number, 'kind', i.kind, 'original_id', i.original_id,
  'contract_id', i.contract_id, 'customer_id', i.customer_id, 'run_id', i.run_id, 'currency', i.currency,
  'invoice_date', i.invoice_date, 'accounting_date', i.accounting_date, 'confirmed_by', i.confirmed_by,
  'confirmed_at', i.confirmed_at, 'totals', json_build_object(
    'count', i.details, 'quantity', i.control_quantity::text, 'amount', i.control_amount::text,
    'tax', i.control_tax::text),
  'details', c.details, 'chunk', c.chunk, 'chunks', c.chunks)::text, $7
"""
# One statement, so that the chunks are built before the year's counter is locked (`taken` asks for all of them
# first): everybody who confirms an invoice of the year waits for that row until this transaction ends.
_NUMBER_AND_SEND = f"""
taken as (
  update invoice_numbers set last = last + cardinality($1::uuid[])
  where year = $8 and (select count(*) from chunks) > 0
  returning year, last - cardinality($1::uuid[]) as before),
confirmed as (
  update invoices i set status = 'confirmed', posting = 'pending', number =
    'PF-' || lpad(year::text, 4, '0') || '-' || lpad((before + n)::text, greatest(6, length((before + n)::text)), '0')
  from taken, unnest($1::uuid[]) with ordinality ids (id, n)
  where i.id = ids.id
  returning i.*),
sent as ({_INSERT} from confirmed i join chunks c on c.invoice_id = i.id order by i.id, c.chunk)
select id, number from confirmed
"""
NUMBER_AND_SEND = f"with chunks as materialized ({_PLAIN}), {_NUMBER_AND_SEND}"
NUMBER_AND_SEND_EDITED = f"with chunks as materialized ({_EDITED}), {_NUMBER_AND_SEND}"
SEND_AGAIN = f"""
with chunks as ({_EDITED})
{_INSERT} from invoices i join chunks c on c.invoice_id = i.id order by i.id, c.chunk
"""


async def settle(session: AsyncSession, context: Context, ids: Sequence[UUID], accounting_date: date) -> set[UUID]:
    """Writes who confirms and the control totals; returns the invoices whose stored totals their details prove."""
    rows = await fetch(session, SETTLE, list(ids), accounting_date, context.actor, context.clock.now())
    return {row["id"] for row in rows}


async def step_past(session: AsyncSession, numbers: Sequence[tuple[int, int]]) -> None:
    """The next number of each (year, number's) year comes after these."""
    await execute(session, STEP_PAST, [year for year, _ in numbers], [last for _, last in numbers])


async def number_and_send(
    session: AsyncSession, context: Context, year: int, ids: Sequence[UUID], packing: Packing
) -> list[asyncpg.Record]:
    """Gives the invoices of one year the next numbers, in this order, and writes their events."""
    await execute(session, FIRST_OF_YEAR, year)
    statement = NUMBER_AND_SEND_EDITED if packing.edited else NUMBER_AND_SEND
    rows = await fetch(session, statement, *_event(context, ids, packing), year)
    await execute(session, f"notify {CHANNEL}")
    return rows


async def send_again(session: AsyncSession, context: Context, invoice_id: UUID, packing: Packing) -> None:
    """Writes the events of a confirmed invoice once more, with the same content."""
    await execute(session, SEND_AGAIN, *_event(context, [invoice_id], packing))
    await execute(session, f"notify {CHANNEL}")


def _event(context: Context, ids: Sequence[UUID], packing: Packing) -> tuple[Any, ...]:
    return (
        list(ids),
        context.limits.event_list_max,
        [context.ids() for _ in range(packing.chunks)],
        InvoiceConfirmed.TOPIC,
        InvoiceConfirmed.TYPE,
        json.dumps(current_trace()),
        context.clock.now(),
    )
