"""Reads of explain."""

LINES = """
select l.id as contract_line_id, l.contract_id, l.name, l.includes, l.tasks, l.valid_from, l.valid_to,
       c.status as contract_status
from contract_lines l join contracts c on c.id = l.contract_id
where l.project = $1 and l.kind = 'project' and c.status <> 'closed' order by c.status, l.id limit 100
"""
CONTRACT = "select currency, sales_price_list_ids from contracts where id = $1"
NAMES = "select id, name from price_lists where id = any($1::uuid[])"
COST = """
select currency from actuals a where entry_id = $1 and type = 'cost' and reverses is null
  and not exists (select from actuals r where r.reverses = a.id) order by id limit 1
"""
REVERSAL = """
select r.id as actual_id, r.cause, r.posted_by as by, r.posted_at as at,
       (select n.id from actuals n
        where (n.entry_id = r.entry_id or n.journal_line_id = r.journal_line_id) and n.replaces = $1
          and n.type = 'unbilled_sales' order by n.id limit 1) as replaced_by
from actuals r where r.reverses = $1
"""
