"""SQL of postings: which confirmations have come, what of them is in the ledger, and what blocks the rest."""

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

# A reversal carries the detail of the corrective that made it: one at zero has no other row.
BILLED = """
select distinct invoice_detail_id from actuals
where invoice_id = any($1::uuid[]) and invoice_detail_id = any($2::uuid[]) and type = 'billed_sales'
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
select p.invoice_id, p.contract_id, p.number, p.status, p.seen, p.chunks, p.accepted_by,
       p.count_wanted, p.quantity_wanted, p.amount_wanted, p.tax_wanted,
       (select count(*) from posting_blocked b where b.invoice_id = p.invoice_id) as blocked,
       count(distinct a.invoice_detail_id)::int as count,
       coalesce(sum(a.quantity) filter (where a.reverses is null), 0) as quantity,
       coalesce(sum(a.amount) filter (where a.reverses is null), 0) as amount,
       coalesce(sum(a.tax) filter (where a.reverses is null), 0) as tax
from postings p left join actuals a on a.invoice_id = p.invoice_id and a.type = 'billed_sales'
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
select w.id, 'billed_sales', w.class, w.billing_type, case p.kind when 'invoice' then 'confirm' else 'correct' end,
       p.accounting_date, p.accounting_date, $11, $12, w.quantity, 'each', w.price, w.amount, w.tax, c.currency,
       p.contract_id, w.line_id, p.invoice_id, w.detail_id, 'posted'
from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::numeric[], $7::numeric[], $8::numeric[], $9::numeric[],
            $10::uuid[])
  w (id, detail_id, class, billing_type, quantity, price, amount, tax, line_id)
join postings p on p.invoice_id = $1 join contracts c on c.id = p.contract_id
"""
TERMS = """
select p.contract_id, p.kind, c.currency from postings p join contracts c on c.id = p.contract_id
where p.invoice_id = $1
"""
ACCEPTED = "update postings set accepted_by = $2, accept_reason = $3 where invoice_id = $1"
