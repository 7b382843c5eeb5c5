"""SQL of setting billing types."""

CONTRACTS = "select distinct contract_id from items where id = any($1::uuid[]) and contract_id is not null"
ITEMS = """
select a.*, i.tax as item_tax, i.unpriced, i.has_cost_price
from items i join actuals a on a.id = i.id where i.id = any($1::uuid[]) order by i.id
"""
DROP = "delete from items where id = any($1::uuid[])"
