"""SQL of a first billing: a batch of confirmed details becomes reversals and billed rows."""

from billing_backlog.ledger.service import COPIED

_OF = ", ".join(f"a.{name.strip()}" for name in COPIED.split(","))
_KEPT = ", ".join(name.strip() for name in COPIED.split(",") if name.strip() not in ("billing_type", "price"))
_KEPT_OF = ", ".join(f"a.{name.strip()}" for name in _KEPT.split(","))
_ROW = "cross join lateral (select * from actuals where id = g.item_id offset 0) a"

# An item leaves for the ledger only under the claim that the invoice names, with the figures that were claimed: its
# row is the proof that it is billed once. What finds no such row is not posted, and is named (design §5.1).
# Every row is looked up by its key, from the batch (docs/decisions/0037), so an item that two details name is found
# twice: one of them bills it, the other one is named.
POST = f"""
with d as (
  select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[],
                       $7::numeric[], $8::numeric[], $9::numeric[], $10::text[],
                       $11::numeric[], $12::numeric[], $13::numeric[], $14::numeric[], $15::text[], $16::bool[])
    d (invoice_id, detail_id, item_id, claim_id, reversal_id, billed_id,
       was_quantity, was_price, was_amount, was_type, quantity, price, amount, tax, billing_type, edited)),
leaving as materialized (
  select distinct on (d.item_id) d.* from d cross join lateral (
    select from items i
    where i.id = d.item_id and i.claim_id = d.claim_id and i.billing_status = 'on_invoice' and i.source = 'backlog'
      and i.quantity = d.was_quantity and i.price = d.was_price and i.amount = d.was_amount
      and i.billing_type = d.was_type
    for update) i
  order by d.item_id, d.detail_id),
gone as (
  delete from items where id = any(array(select item_id from leaving))),
posted as (
  update actuals set billing_status = 'posted' where id = any(array(select item_id from leaving where not edited))),
adjusted as (
  update actuals set billing_status = 'canceled', adjustment = 'adjusted'
  where id = any(array(select item_id from leaving where edited))),
reversed as (
  insert into actuals (id, type, cause, accounting_date, posted_at, posted_by, quantity, amount, tax, reverses,
                       invoice_id, billing_status, adjustment, {COPIED})
  select g.reversal_id, a.type, 'confirm', p.accounting_date, $17, p.confirmed_by, -a.quantity, -a.amount, -a.tax,
         a.id, g.invoice_id, case when g.edited then 'canceled' else 'posted' end, 'unadjustable', {_OF}
  from leaving g join postings p on p.invoice_id = g.invoice_id {_ROW}),
billed as (
  insert into actuals (id, type, cause, accounting_date, posted_at, posted_by, quantity, price, amount, tax,
                       billing_type, replaces, invoice_id, invoice_detail_id, billing_status, {_KEPT})
  select g.billed_id, 'billed_sales', 'confirm', p.accounting_date, $17, p.confirmed_by, g.quantity, g.price, g.amount,
         g.tax, g.billing_type, a.id, g.invoice_id, g.detail_id, 'posted', {_KEPT_OF}
  from leaving g join postings p on p.invoice_id = g.invoice_id {_ROW})
select detail_id, reversal_id, billed_id from leaving
"""

# Together with its detail or not at all: alone it would bill hours that are still open.
WRITE_OFF = f"""
insert into actuals (id, type, cause, accounting_date, posted_at, posted_by, quantity, price, amount, tax,
                     billing_type, replaces, invoice_id, invoice_detail_id, billing_status, {_KEPT})
select d.billed_id, 'billed_sales', 'confirm', p.accounting_date, $10, p.confirmed_by, d.quantity, d.price, d.amount,
       d.tax, d.billing_type, b.replaces, d.invoice_id, d.detail_id, 'posted', {_KEPT_OF}
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::numeric[], $6::numeric[], $7::numeric[],
            $8::numeric[], $9::text[])
  d (invoice_id, detail_id, parent_id, billed_id, quantity, price, amount, tax, billing_type)
join postings p on p.invoice_id = d.invoice_id
join actuals b on b.invoice_detail_id = d.parent_id and b.type = 'billed_sales' and b.reverses is null
  and b.invoice_id = d.invoice_id
join actuals a on a.id = b.replaces
where not exists (
  select from actuals x where x.invoice_detail_id = d.detail_id and x.type = 'billed_sales' and x.reverses is null)
returning invoice_detail_id, id
"""

# A milestone or product line has no unbilled row: its item is the proof. Its amount is the contract's, not the draft's.
POST_SOURCED = """
with d as (
  select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::numeric[],
                       $7::numeric[], $8::numeric[], $9::numeric[], $10::numeric[], $11::text[])
    d (invoice_id, detail_id, item_id, claim_id, billed_id, was_amount, quantity, price, amount, tax, billing_type)),
gone as (
  delete from items i using d
  where i.id = d.item_id and i.claim_id = d.claim_id and i.billing_status = 'on_invoice' and i.source <> 'backlog'
    and i.amount = d.was_amount and d.amount = d.was_amount
  returning i.contract_id, i.contract_line_id, i.class, i.date, i.unit, i.project, i.product, i.description,
            i.external_description, d.*)
insert into actuals (id, type, class, billing_type, cause, date, accounting_date, posted_at, posted_by, quantity, unit,
                     price, amount, tax, currency, project, product, description, external_description, contract_id,
                     contract_line_id, item_id, invoice_id, invoice_detail_id, billing_status)
select g.billed_id, 'billed_sales', g.class, g.billing_type, 'confirm', g.date, p.accounting_date, $12, p.confirmed_by,
       g.quantity, g.unit, g.price, g.amount, g.tax, c.currency, g.project, g.product, g.description,
       g.external_description, g.contract_id, g.contract_line_id, g.item_id, g.invoice_id, g.detail_id, 'posted'
from gone g join postings p on p.invoice_id = g.invoice_id join contracts c on c.id = p.contract_id
returning invoice_detail_id, id
"""

POST_HAND = """
insert into actuals (id, type, class, billing_type, cause, date, accounting_date, posted_at, posted_by, quantity, unit,
                     price, amount, tax, currency, project, task, resource, role, category, product, description,
                     external_description, contract_id, contract_line_id, invoice_id, invoice_detail_id, billing_status)
select d.billed_id, 'billed_sales', d.class, d.billing_type, 'confirm', d.date, p.accounting_date, $21,
       p.confirmed_by, d.quantity, d.unit, d.price, d.amount, d.tax, c.currency, d.project, d.task, d.resource, d.role,
       d.category, d.product, d.description, d.external_description, p.contract_id, l.id, p.invoice_id, d.detail_id,
       'posted'
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::date[], $8::text[],
            $9::numeric[], $10::numeric[], $11::numeric[], $12::numeric[],
            $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[])
  d (invoice_id, detail_id, line_id, billed_id, class, billing_type, date, unit, quantity, price, amount, tax,
     project, task, resource, role, category, product, description, external_description)
join postings p on p.invoice_id = d.invoice_id join contracts c on c.id = p.contract_id
join contract_lines l on l.id = d.line_id and l.contract_id = p.contract_id
where not exists (
  select from actuals x where x.invoice_detail_id = d.detail_id and x.type = 'billed_sales' and x.reverses is null)
returning invoice_detail_id, id
"""

# What a returned item is made of: the row that was billed has all of its coding.
CODING = """
select a.*, a.entry_id is null or exists (
         select from actuals c where c.entry_id = a.entry_id and c.type = 'cost' and c.price is not null) as costed
from unnest($1::uuid[]) with ordinality w (detail_id, n)
join actuals a on a.invoice_detail_id = w.detail_id and a.type = 'billed_sales' and a.reverses is null order by w.n
"""
