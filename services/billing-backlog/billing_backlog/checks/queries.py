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
    "confirming keeps the quantity of each entry": """
select entry_id as id, 'entry revision ' || entry_revision || ': confirming moved ' || sum(quantity) as what
from actuals where cause = 'confirm' and entry_id is not null and ($1::uuid is null or contract_id = $1)
group by entry_id, entry_revision having sum(quantity) <> 0""",
    "an unbilled row is open exactly while nothing reverses it": """
select a.id, case when i.id is null then 'unbilled, but no open item' else 'reversed, but an open item' end as what
from actuals a left join items i on i.id = a.id left join actuals r on r.reverses = a.id
where a.type = 'unbilled_sales' and a.reverses is null and ($1::uuid is null or a.contract_id = $1)
  and ((i.id is null) <> (r.id is not null) or (i.id is not null) <> (a.billing_status = 'unbilled'))""",
    "an open item shows its ledger row's figures": """
select i.id, 'the item and its ledger row differ' as what
from items i left join actuals a on a.id = i.id
where ($1::uuid is null or i.contract_id = $1)
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
    "every billed row of an entry replaces a reversed unbilled row": """
select b.id, 'billed without a reversal of what it replaces' as what
from actuals b left join actuals r on r.reverses = b.replaces and r.invoice_id = b.invoice_id
where b.type = 'billed_sales' and b.reverses is null and b.entry_id is not null
  and ($1::uuid is null or b.contract_id = $1)
  and (r.id is null or b.quantity <> -r.quantity or b.amount is distinct from -r.amount)""",
    "a posted invoice has the billed rows that it says": """
select p.invoice_id as id, 'posted, but the ledger has ' || count(a.id) || ' of ' || p.count_wanted as what
from postings p left join actuals a on a.invoice_id = p.invoice_id and a.type = 'billed_sales' and a.reverses is null
where p.status = 'posted' and ($1::uuid is null or p.contract_id = $1)
group by p.invoice_id
having count(a.id) <> p.count_wanted or coalesce(sum(a.quantity), 0) <> p.quantity_wanted
  or coalesce(sum(a.amount), 0) <> p.amount_wanted or coalesce(sum(a.tax), 0) <> p.tax_wanted""",
    "an approved entry has its cost in the ledger once": """
select e.entry_id as id, 'approved, but its cost stands ' || count(a.id) || ' times' as what
from entries e left join actuals a on a.entry_id = e.entry_id and a.entry_revision = e.revision and a.type = 'cost'
  and a.reverses is null and a.cause = 'approve'
where e.state = 'approved' and $1::uuid is null group by e.entry_id having count(a.id) <> 1""",
    "cost is untouched by invoicing": """
select id, 'a cost row of cause ' || cause as what from actuals
where type = 'cost' and cause in ('confirm', 'correct') and ($1::uuid is null or contract_id = $1)""",
    "without a price there is no amount, and nothing unpriced is billed": """
select id, 'billed without an amount' as what from actuals
where type = 'billed_sales' and amount is null and ($1::uuid is null or contract_id = $1)""",
}

CHECKED = "select count(*) from actuals where $1::uuid is null or contract_id = $1"
