"""SQL of postings: a batch of confirmed details becomes reversals and billed rows in one statement."""

from billing_backlog.ledger.service import COPIED

KEEP = """
insert into postings (invoice_id, contract_id, number, kind, accounting_date, confirmed_by, confirmed_at, status,
                      chunks, count_wanted, quantity_wanted, amount_wanted, tax_wanted, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9, $10, $11, $12, $13, $13)
on conflict (invoice_id) do nothing
"""
LOCK = "select * from postings where invoice_id = any($1::uuid[]) order by invoice_id for update"
NEW_CHUNKS = """
insert into posting_chunks (invoice_id, chunk) select i, c from unnest($1::uuid[], $2::int[]) w (i, c)
on conflict do nothing returning invoice_id, chunk
"""
SEEN = """
update postings p set seen = p.seen + w.n, version = p.version + 1, updated_at = $2
from (select i, count(*) as n from unnest($1::uuid[]) i group by 1) w where p.invoice_id = w.i
"""

# An item leaves for the ledger only under the claim that the invoice names, with the figures that were claimed: its
# row is the proof that it is billed once. What finds no such row is not posted, and is named (design §5.1).
POST = f"""
with d as (
  select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[],
                       $7::numeric[], $8::numeric[], $9::numeric[])
    d (invoice_id, detail_id, item_id, claim_id, reversal_id, billed_id, quantity, price, amount)),
gone as (
  delete from items i using d
  where i.id = d.item_id and i.claim_id = d.claim_id and i.billing_status = 'on_invoice'
    and i.quantity = d.quantity and i.price = d.price and i.amount = d.amount
  returning i.id, d.invoice_id, d.detail_id, d.reversal_id, d.billed_id),
posted as (
  update actuals a set billing_status = 'posted' from gone where a.id = gone.id
  returning a.*, gone.invoice_id as for_invoice, gone.detail_id, gone.reversal_id, gone.billed_id),
reversed as (
  insert into actuals (id, type, cause, accounting_date, posted_at, posted_by, quantity, amount, tax, reverses,
                       invoice_id, billing_status, adjustment, {COPIED})
  select a.reversal_id, a.type, 'confirm', p.accounting_date, $10, p.confirmed_by, -a.quantity, -a.amount, -a.tax,
         a.id, a.for_invoice, 'posted', 'unadjustable', {{copied}}
  from posted a join postings p on p.invoice_id = a.for_invoice
  returning id),
billed as (
  insert into actuals (id, type, cause, accounting_date, posted_at, posted_by, quantity, amount, tax, replaces,
                       invoice_id, invoice_detail_id, billing_status, {COPIED})
  select a.billed_id, 'billed_sales', 'confirm', p.accounting_date, $10, p.confirmed_by, a.quantity, a.amount, a.tax,
         a.id, a.for_invoice, a.detail_id, 'posted', {{copied}}
  from posted a join postings p on p.invoice_id = a.for_invoice
  returning id)
select gone.detail_id, gone.reversal_id, gone.billed_id from gone
""".format(copied=", ".join(f"a.{name.strip()}" for name in COPIED.split(",")))

BILLED = """
select invoice_detail_id from actuals
where invoice_detail_id = any($1::uuid[]) and type = 'billed_sales' and reverses is null
"""
BLOCK = """
insert into posting_blocked (invoice_id, detail_id, detail, reason)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) on conflict (invoice_id, detail_id) do nothing
"""
UNBLOCK = "delete from posting_blocked where invoice_id = $1 and detail_id = any($2::uuid[])"
BLOCKED = "select detail_id, detail, reason from posting_blocked where invoice_id = $1 order by detail_id limit $2"
STATES = """
select w.n, i.billing_status, i.claim_id, a.billing_status as ledger_status, a.id is not null as known
from unnest($1::uuid[]) with ordinality w (item_id, n)
left join items i on i.id = w.item_id left join actuals a on a.id = w.item_id order by w.n
"""
TOTALS = """
select p.invoice_id, p.contract_id, p.number, p.status, p.seen, p.chunks,
       p.count_wanted, p.quantity_wanted, p.amount_wanted, p.tax_wanted,
       (select count(*) from posting_blocked b where b.invoice_id = p.invoice_id) as blocked,
       count(a.id)::int as count, coalesce(sum(a.quantity), 0) as quantity,
       coalesce(sum(a.amount), 0) as amount, coalesce(sum(a.tax), 0) as tax
from postings p left join actuals a on a.invoice_id = p.invoice_id and a.type = 'billed_sales' and a.reverses is null
where p.invoice_id = any($1::uuid[]) group by p.invoice_id order by p.invoice_id
"""
SETTLE = """
update postings p set status = w.status, reason = w.reason, version = p.version + 1, updated_at = $4
from unnest($1::uuid[], $2::text[], $3::text[]) w (invoice_id, status, reason)
where p.invoice_id = w.invoice_id and (p.status, p.reason) is distinct from (w.status, w.reason)
"""
LIST = """
select * from postings where ($1::uuid is null or invoice_id > $1) and ($2::text is null or status = $2)
  and ($3::uuid is null or contract_id = $3) order by invoice_id limit $4
"""

# The blocked rest, accepted by a person: billed only, nothing is reversed, because nothing open stands behind it.
ACCEPT = """
insert into actuals (id, type, class, billing_type, cause, date, accounting_date, posted_at, posted_by, quantity, unit,
                     price, amount, tax, currency, contract_id, contract_line_id, invoice_id, invoice_detail_id,
                     billing_status)
select w.id, 'billed_sales', w.class, w.billing_type, 'confirm', p.accounting_date, p.accounting_date, $12, $13,
       w.quantity, 'each', w.price, w.amount, w.tax, c.currency, p.contract_id, w.line_id, p.invoice_id, w.detail_id,
       'posted'
from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::numeric[], $7::numeric[], $8::numeric[], $9::numeric[],
            $10::uuid[], $11::uuid[])
  w (id, detail_id, class, billing_type, quantity, price, amount, tax, line_id, item_id)
join postings p on p.invoice_id = $1 join contracts c on c.id = p.contract_id
"""
ACCEPTED = "update postings set accepted_by = $2, accept_reason = $3 where invoice_id = $1"
