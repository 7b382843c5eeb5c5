"""The ledger's laws as SQL: each query finds what breaks one (design §5.6 of the domain, §4 and §5.1 of the design).

$1 is the contract, or null for everything. Each row: the id that is wrong, and what is wrong with it.
"""

LAWS: dict[str, str] = {
    "a reversal is the exact opposite of its original": """
select r.id, 'reverses ' || r.reverses || ' with other figures' as what
from actuals r left join actuals o on o.id = r.reverses
where r.reverses is not null and ($1::uuid is null or r.contract_id = $1)
  and (o.id is null or r.type <> o.type or r.quantity <> -o.quantity or r.price is distinct from o.price
       or r.amount is distinct from -o.amount or r.tax is distinct from -o.tax
       or r.billing_type is distinct from o.billing_type or r.reverses = r.id)""",
    "what replaces a billed or unbilled row is at least its quantity, and exactly it where it was split": """
select o.id, 'of ' || o.quantity || ', ' || coalesce(sum(n.quantity), 0) || ' in its place' as what
from actuals r join actuals o on o.id = r.reverses
left join actuals n on n.replaces = o.id and n.contract_id = o.contract_id and n.reverses is null and n.cause = r.cause
where r.cause in ('confirm', 'correct') and ($1::uuid is null or r.contract_id = $1)
  and (o.type = 'unbilled_sales' or o.entry_id is not null or o.journal_line_id is not null)
group by o.id
having coalesce(sum(n.quantity), 0) < o.quantity or (count(n.id) > 1 and sum(n.quantity) <> o.quantity)""",
    "what is split at one price keeps its amount": """
select o.id, 'of ' || o.amount || ', ' || sum(n.amount) || ' in its place' as what
from actuals r join actuals o on o.id = r.reverses
join actuals n on n.replaces = o.id and n.contract_id = o.contract_id and n.reverses is null and n.cause = r.cause
where r.cause in ('confirm', 'correct') and ($1::uuid is null or r.contract_id = $1)
group by o.id having count(*) > 1 and bool_and(n.price = o.price) and sum(n.amount) <> o.amount""",
    "an unbilled row is open exactly while nothing reverses it": """
select a.id, case when i.id is null then 'unbilled, but no open item' else 'reversed, but an open item' end as what
from actuals a left join items i on i.id = a.id left join actuals r on r.reverses = a.id
where a.type = 'unbilled_sales' and a.reverses is null and ($1::uuid is null or a.contract_id = $1)
  and ((i.id is null) <> (r.id is not null) or (i.id is not null) <> (a.billing_status = 'unbilled'))""",
    "an open item shows its ledger row's figures": """
select i.id, 'the item and its ledger row differ' as what
from items i left join actuals a on a.id = i.id
where i.source = 'backlog' and ($1::uuid is null or i.contract_id = $1)
  and (a.id is null or i.quantity <> a.quantity or i.price is distinct from a.price
       or i.amount is distinct from a.amount or i.contract_line_id is distinct from a.contract_line_id
       or (i.billing_status = 'cost_only') <> (a.type = 'cost')
       or i.billing_type is distinct from a.billing_type or i.entry_id is distinct from a.entry_id)""",
    "work that no line takes is open while it is not reversed": """
select a.id, 'cost only, but not listed' as what
from actuals a left join items i on i.id = a.id left join actuals r on r.reverses = a.id
where a.type = 'cost' and a.billing_status = 'cost_only' and r.id is null and i.id is null
  and ($1::uuid is null or a.contract_id = $1)""",
    "what is on an invoice is there under a live claim": """
select i.id, 'on_invoice under claim ' || i.claim_id || ', which is ' || coalesce(k.status, 'not known') as what
from items i left join claims k on k.id = i.claim_id and k.contract_id = i.contract_id
where i.billing_status = 'on_invoice' and ($1::uuid is null or i.contract_id = $1)
  and (k.id is null or k.status = 'released')""",
    "a claim holds no more items than it took": """
select k.id, 'holds ' || count(*) || ' items, took ' || k.items as what
from claims k join items i on i.contract_id = k.contract_id and i.claim_id = k.id
where ($1::uuid is null or k.contract_id = $1) group by k.id having count(*) > k.items""",
    "what a billed row replaces is reversed by the same invoice": """
select b.id, 'replaces ' || b.replaces || ', which its invoice does not reverse' as what
from actuals b left join actuals r on r.reverses = b.replaces and r.invoice_id = b.invoice_id
where b.type = 'billed_sales' and b.reverses is null and b.replaces is not null and r.id is null
  and ($1::uuid is null or b.contract_id = $1)""",
    "only what was added by hand or accepted is billed with nothing behind it": """
select b.id, 'the work of an entry is billed, and no row of it was reversed' as what
from actuals b where b.type = 'billed_sales' and b.reverses is null and b.replaces is null
  and (b.entry_id is not null or b.journal_line_id is not null) and ($1::uuid is null or b.contract_id = $1)""",
    "a milestone or product line is billed at most once, and open exactly while it is not billed": """
select s.id, count(a.id) || ' live billed rows, ' || count(distinct i.id) || ' open items' as what
from (select id, contract_id from milestones
      union all select id, contract_id from contract_lines where kind = 'product') s
join contracts c on c.id = s.contract_id
left join items i on i.id = s.id
left join actuals a on a.item_id = s.id and a.type = 'billed_sales' and a.reverses is null
  and not exists (select from actuals r where r.reverses = a.id)
where $1::uuid is null or s.contract_id = $1
group by s.id, c.status having count(a.id) > 1 or (c.status <> 'closed' and count(a.id) + count(distinct i.id) <> 1)""",
    "a posted invoice has the billed rows that it says": """
select p.invoice_id as id, 'posted, but the ledger has ' || count(distinct a.invoice_detail_id) || ' of '
  || p.count_wanted as what
from postings p left join actuals a on a.invoice_id = p.invoice_id and a.type = 'billed_sales'
where p.status = 'posted' and p.accepted_by is null and ($1::uuid is null or p.contract_id = $1)
group by p.invoice_id
having count(distinct a.invoice_detail_id) <> p.count_wanted
  or coalesce(sum(a.quantity) filter (where a.reverses is null), 0) <> p.quantity_wanted
  or coalesce(sum(a.amount) filter (where a.reverses is null), 0) <> p.amount_wanted
  or coalesce(sum(a.tax) filter (where a.reverses is null), 0) <> p.tax_wanted""",
    "an approved entry has its cost in the ledger once": """
select e.entry_id as id, 'approved, but its cost stands ' || count(a.id) || ' times' as what
from entries e left join actuals a on a.entry_id = e.entry_id and a.entry_revision = e.revision and a.type = 'cost'
  and a.reverses is null and not exists (select from actuals r where r.reverses = a.id)
where e.state = 'approved' and $1::uuid is null group by e.entry_id having count(a.id) <> 1""",
    "nothing of a reversed entry stands": """
select a.id, a.type || ' of entry ' || a.entry_id || ' stands, whose approval is cancelled' as what
from entries e join actuals a on a.entry_id = e.entry_id and a.entry_revision <= e.revision and a.reverses is null
where e.state = 'reversed' and not exists (select from actuals r where r.reverses = a.id)
  and ($1::uuid is null or a.contract_id = $1)""",
    "a row that is reversed says so, and its reversal is never reversed": """
select o.id, 'reversed, but ' || coalesce(o.billing_status, 'without a status') || ', '
  || coalesce(o.adjustment, 'not adjusted') as what
from actuals r join actuals o on o.id = r.reverses
where ($1::uuid is null or r.contract_id = $1)
  and (r.adjustment is distinct from 'unadjustable' or o.reverses is not null
       or (o.adjustment is null and o.billing_status is distinct from 'posted'))""",
    "cost is untouched by invoicing": """
select id, 'a cost row of cause ' || cause as what from actuals
where type = 'cost' and cause in ('confirm', 'correct') and ($1::uuid is null or contract_id = $1)""",
    "without a price there is no amount, and nothing unpriced is billed": """
select id, 'billed without an amount' as what from actuals
where type = 'billed_sales' and amount is null and ($1::uuid is null or contract_id = $1)""",
}

# A law over all rows takes as long as the ledger is large: at the usual limit a large one could never be checked.
PATIENCE = "set local statement_timeout = '15min'"
# Over everything, two tables are best read once each. A planner that believes one to be all but empty, or few rows to
# be meant, would look through it again for each row of the other: hours for what takes seconds.
WHOLE = "set local enable_nestloop = off"
CHECKED = "select count(*) from actuals where $1::uuid is null or contract_id = $1"
