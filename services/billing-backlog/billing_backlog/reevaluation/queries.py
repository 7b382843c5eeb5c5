"""Reads of re-evaluation: whose work it is, and what stands of it."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.reevaluation.rules import Posted
from proforma.db import fetch

# $1 contracts (null: all), $2 customer, $3 external id: those of them that are active.
CONTRACTS = """
select id from contracts where status = 'active' and ($1::uuid[] is null or id = any($1))
  and ($2::uuid is null or customer_id = $2) and ($3::text is null or external_id = $3)
"""
# Every approved entry has a cost: the ledger's index on projects finds them.
_ENTRIES = f"""
select distinct a.entry_id from actuals a
where a.project in (select project from contract_lines where project is not null and contract_id in ({CONTRACTS}))
  and a.type = 'cost' and a.reverses is null and a.cause = 'approve'
"""
# By project, because a step holds its projects exclusively.
TARGETS = f"""
insert into job_targets (job_id, n, target_id)
select $4, row_number() over (order by e.project, e.entry_id), e.entry_id from ({_ENTRIES}) w
join entries e on e.entry_id = w.entry_id and e.state = 'approved'
"""
NEXT_TARGETS = "select n, target_id from job_targets where job_id = $1 and n > $2 order by n limit $3"
ENTRIES = f"""
select w.entry_id, count(*) over ()::int as entries from ({_ENTRIES}) w
join entries e on e.entry_id = w.entry_id and e.state = 'approved' order by 1 limit $4
"""
ANY_ENTRY = f"select exists (select from ({_ENTRIES}) w)"
NOT_ACTIVE = """
select w.id, c.status from unnest($1::uuid[]) with ordinality w (id, n) left join contracts c on c.id = w.id
where c.status is distinct from 'active' order by w.n
"""
PROJECTS = "select distinct project from entries where entry_id = any($1::uuid[])"
CONTENTS = """
select content, project from entries
where entry_id = any($1::uuid[]) and state = 'approved' and content is not null order by entry_id
"""
STANDING = """
select a.entry_id, a.id, a.type, a.contract_id, i.billing_status as item_status,
       coalesce(k.invoice_id, a.invoice_id) as invoice_id, a.billing_type, a.quantity, a.price, a.amount, a.currency,
       a.contract_line_id, i.unpriced, coalesce(c.status = 'closed', false) as contract_closed,
       exists (select from actuals h where h.entry_id = a.entry_id and h.entry_revision = a.entry_revision
               and h.cause = 'set-billing-type' and h.reverses is null) as hand_set
from actuals a left join items i on i.id = a.id left join claims k on k.id = i.claim_id
left join contracts c on c.id = a.contract_id
where a.entry_id = any($1::uuid[]) and a.reverses is null
  and not exists (select from actuals r where r.reverses = a.id)
order by a.id
"""
HAS_COST_PRICE = """
update items set has_cost_price = w.known from unnest($1::uuid[], $2::boolean[]) w (entry_id, known)
where items.entry_id = w.entry_id and has_cost_price <> w.known
"""


async def standing_of(session: AsyncSession, entry_ids: Collection[UUID]) -> dict[UUID, list[Posted]]:
    """What stands of each entry, in the order of posting."""
    found: dict[UUID, list[Posted]] = defaultdict(list)
    for row in await fetch(session, STANDING, list(entry_ids)):
        entry_id, *columns = row.values()
        found[entry_id].append(Posted(*columns))
    return found
