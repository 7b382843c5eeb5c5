"""SQL of setting billing types."""

CONTRACTS = "select distinct contract_id from items where id = any($1::uuid[]) and contract_id is not null"
STATES = """
select w.id, coalesce(i.billing_status, a.billing_status) as billing_status, i.billing_type,
       coalesce(k.invoice_id, r.invoice_id) as invoice_id
from unnest($1::uuid[]) with ordinality w (id, n)
left join items i on i.id = w.id and i.source = 'backlog'
left join claims k on k.id = i.claim_id
left join actuals a on a.id = w.id and a.type = 'unbilled_sales' and a.reverses is null
left join actuals r on r.reverses = a.id
order by w.n
"""
ITEMS = """
select a.*, i.tax as item_tax, i.unpriced, i.has_cost_price
from items i join actuals a on a.id = i.id where i.id = any($1::uuid[]) order by i.id
"""
DROP = "delete from items where id = any($1::uuid[])"
