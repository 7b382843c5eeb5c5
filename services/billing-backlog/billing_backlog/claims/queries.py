"""SQL of claiming: one statement takes the items of up to 50 contracts and builds the chunks' JSON."""

from billing_backlog.agreed_items.queries import ADDS_UP

# Items become on_invoice and are told in the same transaction. Milestones and product lines are found through their
# lines, not among the contract's items, which may be many; a line's milestones are taken only while they add up, which
# is looked at here, behind the contract's lock. The typed model of an item is ClaimedItem; a test
# holds this form to it. json_build_object over a sub-select, numerics as text: the jsonb builders cost more.
CLAIM = f"""
with wanted as (
  select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::date[]) w (claim_id, contract_id, line_id, cut_off)),
taken as (
  update items i set billing_status = 'on_invoice', claim_id = w.claim_id, changed_by = $6, changed_at = $7
  from wanted w join contracts c on c.id = w.contract_id join contract_lines l on l.id = w.line_id
  where i.contract_id = w.contract_id and i.contract_line_id = w.line_id and i.source = 'backlog'
    and i.billing_status = 'ready' and i.date <= w.cut_off
    and (l.billing_start is null or i.date >= l.billing_start) and (c.end_date is null or i.date <= c.end_date)
    and ($5::uuid[] is null or i.id = any($5))
  returning i.*),
agreed_lines as (
  select l.id as line_id, l.kind, s.claim_id, s.milestones_to
  from unnest($9::uuid[], $10::uuid[], $11::date[], $12::bool[]) s (claim_id, contract_id, milestones_to, bounded)
  join contract_lines l on l.contract_id = s.contract_id
  where (l.kind = 'product' or (l.billing_method = 'fixed_price' and {ADDS_UP}))
    and (not s.bounded or exists (select from wanted w where w.claim_id = s.claim_id and w.line_id = l.id))),
agreed as (
  select line_id as id, claim_id from agreed_lines where kind = 'product'
  union all
  select m.id, a.claim_id from agreed_lines a join milestones m on m.contract_line_id = a.line_id
  where a.kind = 'project' and (a.milestones_to is null or m.date <= a.milestones_to)),
sold as (
  update items i set billing_status = 'on_invoice', claim_id = a.claim_id, changed_by = $6, changed_at = $7
  from agreed a
  where i.id = a.id and i.source <> 'backlog' and i.billing_status = 'ready' and ($5::uuid[] is null or i.id = any($5))
  returning i.*),
told as (
  select claim_id, contract_line_id, date, id, amount, billing_type, json_strip_nulls(json_build_object(
    'id', id, 'contract_line_id', contract_line_id, 'class', class, 'source', source, 'entry_id', entry_id,
    'project', project, 'task', task, 'resource', resource, 'role', role, 'category', category, 'product', product,
    'date', date, 'quantity', quantity::text, 'unit', unit, 'price', price::text, 'amount', amount::text,
    'tax', tax::text, 'billing_type', billing_type, 'description', description,
    'external_description', external_description))::text as item
  from (select * from taken union all select * from sold) all_taken),
placed as (
  select *, (row_number() over placed_so - 1) / 500 as by_count,
         sum(octet_length(item) + 1) over (placed_so rows unbounded preceding) / $8::int as by_size
  from told window placed_so as (partition by claim_id order by contract_line_id, date, id)),
numbered as (
  select *, dense_rank() over (partition by claim_id order by by_count, by_size) as chunk from placed)
select claim_id, chunk::int, string_agg(item, ',' order by contract_line_id, date, id) as items,
       array_agg(distinct contract_line_id) as line_ids
from numbered group by claim_id, chunk order by claim_id, chunk
"""

# What each line gave to the claim, for the run's own record.
TAKEN = """
select claim_id, contract_line_id, count(*)::int as items,
       coalesce(sum(amount) filter (where billing_type = 'chargeable'), 0) as amount
from items where contract_id = any($1::uuid[]) and claim_id = any($2::uuid[]) group by 1, 2
"""

HEADERS = """
select c.id as contract_id, c.name as contract_name, c.currency, c.customer_id, k.name as customer_name,
       k.billing_address, k.payment_terms_days, k.tax_id
from contracts c join customers k on k.id = c.customer_id where c.id = any($1::uuid[])
"""
LINES = """
select id, contract_id, name, kind, billing_method, coalesce(includes, '{}') as includes from contract_lines
where contract_id = any($1::uuid[]) order by id
"""
INSERT = """
insert into claims (id, run_id, contract_id, items, amount, chunks, status, created_at, created_by, updated_at)
select i, r, c, n, a, k, 'claimed', $7, $8, $7
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::numeric[], $6::int[]) rows (i, r, c, n, a, k)
"""

CONTRACTS_OF = "select distinct contract_id from claims where id = any($1::uuid[])"
DRAFTED = """
update claims set status = 'drafted', invoice_id = w.invoice_id, updated_at = $4
from unnest($1::uuid[], $2::uuid[], $3::int[]) w (claim_id, invoice_id, n)
where claims.id = w.claim_id and claims.items = w.n and claims.status <> 'released' returning claims.id
"""
DRAFT_MISMATCH = """
select w.claim_id, w.n, c.items, c.status from unnest($1::uuid[], $2::int[]) w (claim_id, n)
left join claims c on c.id = w.claim_id where c.id is null or c.items <> w.n
"""
# Matched by (item, claim): a release that comes late, twice, or for an item that was claimed again does nothing.
RELEASE_ITEMS = """
update items i set billing_status = 'ready', claim_id = null, changed_by = w.by, changed_at = $4
from unnest($1::uuid[], $2::uuid[], $3::text[]) w (item_id, claim_id, by)
where i.id = w.item_id and i.claim_id = w.claim_id and i.billing_status = 'on_invoice'
returning i.id, i.contract_id
"""
RELEASE_CLAIMS = """
update items i set billing_status = 'ready', claim_id = null, changed_by = w.by, changed_at = $4
from unnest($1::uuid[], $2::uuid[], $3::text[]) w (contract_id, claim_id, by)
where i.contract_id = w.contract_id and i.claim_id = w.claim_id and i.billing_status = 'on_invoice'
returning i.id, i.contract_id
"""
MARK_RELEASED = """
update claims set status = 'released', updated_at = $2 where id = any($1::uuid[]) and status <> 'released'
"""
CHUNKS_SENT = """
select topic, type, key, body from outbox
where type = $1 and key = $3 and body::json -> 'claim' ->> 'id' = $2 order by id
"""
