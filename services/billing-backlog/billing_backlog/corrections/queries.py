"""SQL of a correction: the original's billed row is reversed, what is right is billed, the rest comes back."""

from billing_backlog.ledger.service import COPIED

_OF = ", ".join(f"a.{name.strip()}" for name in COPIED.split(","))
_KEPT = ", ".join(name.strip() for name in COPIED.split(",") if name.strip() not in ("billing_type", "price"))
_KEPT_OF = ", ".join(f"a.{name.strip()}" for name in _KEPT.split(","))
_ROW = "cross join lateral (select * from actuals where id = o.actual_id offset 0) a"

# The original must be billed, not reversed, and with the figures that the corrective was made from: then, and only
# then, reversing it takes back exactly what the customer was shown. The reversal carries the corrective's detail.
CORRECT = f"""
with d as (
  select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[],
                       $6::numeric[], $7::numeric[], $8::numeric[], $9::numeric[],
                       $10::numeric[], $11::numeric[], $12::numeric[], $13::numeric[], $14::text[])
    d (invoice_id, detail_id, original_id, reversal_id, billed_id,
       was_quantity, was_price, was_amount, was_tax, quantity, price, amount, tax, billing_type)),
originals as materialized (
  select d.*, a.id as actual_id from d cross join lateral (
    select a.id from actuals a join postings p on p.invoice_id = d.invoice_id and p.contract_id = a.contract_id
    where a.invoice_detail_id = d.original_id and a.type = 'billed_sales' and a.reverses is null
      and a.quantity = d.was_quantity and a.price = d.was_price and a.amount = d.was_amount and a.tax = d.was_tax
      and not exists (select from actuals r where r.reverses = a.id)
    offset 0) a),
adjusted as (
  update actuals set adjustment = 'adjusted' where id = any(array(select actual_id from originals))),
reversed as (
  insert into actuals (id, type, cause, accounting_date, posted_at, posted_by, quantity, amount, tax, reverses,
                       invoice_id, invoice_detail_id, billing_status, adjustment, {COPIED})
  select o.reversal_id, a.type, 'correct', p.accounting_date, $15, p.confirmed_by, -a.quantity, -a.amount, -a.tax,
         a.id, o.invoice_id, o.detail_id, 'canceled', 'unadjustable', {_OF}
  from originals o join postings p on p.invoice_id = o.invoice_id {_ROW}),
billed as (
  insert into actuals (id, type, cause, accounting_date, posted_at, posted_by, quantity, price, amount, tax,
                       billing_type, replaces, invoice_id, invoice_detail_id, billing_status, {_KEPT})
  select o.billed_id, 'billed_sales', 'correct', p.accounting_date, $15, p.confirmed_by, o.quantity, o.price, o.amount,
         o.tax, o.billing_type, a.id, o.invoice_id, o.detail_id, 'posted', {_KEPT_OF}
  from originals o join postings p on p.invoice_id = o.invoice_id {_ROW}
  where o.quantity > 0)
select detail_id, reversal_id, case when quantity > 0 then billed_id end as billed_id from originals
"""

# Credited in full, it is the same one again. A closed contract gets nothing back that it could never bill.
MILESTONE_AGAIN = """
insert into items (id, contract_id, contract_line_id, class, source, date, quantity, unit, price, amount, tax, currency,
                   billing_type, description, external_description, has_cost_price, billing_status, changed_by,
                   changed_at)
select m.id, m.contract_id, m.contract_line_id, 'milestone', 'milestone', m.date, 1, 'each', m.amount, m.amount, m.tax,
       c.currency, 'chargeable', m.name, m.description, true, 'unbilled', $2, $3
from milestones m join contracts c on c.id = m.contract_id where m.id = any($1::uuid[]) and c.status <> 'closed'
"""
PRODUCT_AGAIN = """
insert into items (id, contract_id, contract_line_id, class, source, product, date, quantity, unit, price, amount, tax,
                   currency, billing_type, description, has_cost_price, billing_status, changed_by, changed_at)
select l.id, l.contract_id, l.id, 'product', 'product', l.product, coalesce(b.date, $3::timestamptz::date), l.quantity,
       l.unit, l.price, l.amount, l.tax, c.currency, 'chargeable', l.name, true, 'unbilled', $2, $3
from contract_lines l join contracts c on c.id = l.contract_id
left join lateral (select date from actuals a where a.item_id = coalesce(l.split_from, l.id) limit 1) b on true
where l.id = any($1::uuid[]) and c.status <> 'closed'
"""

# Credited in part, it is two: the old one keeps what stays billed, a new one has the rest (design §5.3).
SPLIT_MILESTONES = """
with d as (
  select * from unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[])
    d (id, rest_id, kept, kept_tax, rest, rest_tax)),
kept as (
  update milestones m set amount = d.kept, tax = d.kept_tax, version = m.version + 1, updated_at = $8
  from d where m.id = d.id returning m.*)
insert into milestones (id, contract_id, contract_line_id, name, date, amount, tax, description, split_from, version,
                        created_at, created_by, updated_at)
select d.rest_id, k.contract_id, k.contract_line_id, k.name, k.date, d.rest, d.rest_tax, k.description, k.id, 1, $8, $7,
       $8
from kept k join d on d.id = k.id
"""
SPLIT_PRODUCTS = """
with d as (
  select * from unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[])
    d (id, rest_id, kept, kept_tax, rest, rest_tax)),
kept as (
  update contract_lines l set amount = d.kept, price = round(d.kept / l.quantity, 4), tax = d.kept_tax,
         version = l.version + 1, updated_at = $8
  from d where l.id = d.id returning l.*)
insert into contract_lines (id, contract_id, name, kind, product, quantity, unit, price, amount, tax, valid_from,
                            valid_to, split_from, version, created_at, created_by, updated_at)
select d.rest_id, k.contract_id, k.name, 'product', k.product, k.quantity, k.unit, round(d.rest / k.quantity, 4),
       d.rest, d.rest_tax, k.valid_from, k.valid_to, k.id, 1, $8, $7, $8
from kept k join d on d.id = k.id
"""
