"""Reads of the backlog: open items and, where asked for, the ledger's closed ones under the same id."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.backlog.schemas import ItemFilter
from billing_backlog.schedule_rows.queries import MISSING_FOR_WORK
from proforma.clock import Clock
from proforma.db import execute, fetch, fetch_one

# A line of the item's project, task and day; whether it takes the class is said beside it.
_LINE = """select from contract_lines t join contracts tc on tc.id = t.contract_id
  where t.project = i.project and t.kind = 'project' and (t.tasks is null or i.task = any(t.tasks))
    and (t.valid_from is null or t.valid_from <= i.date) and (t.valid_to is null or i.date <= t.valid_to)"""

# Why an item is not ready or will not be picked up. $1 is now; the contract's own day decides what is future.
REASONS = f"""array_remove(array[
  case when i.billing_status = 'cost_only' then case
    when exists ({_LINE} and tc.status = 'active' and i.class <> all(t.includes)) then 'class_not_included'
    else 'no_contract_line' end end,
  case when (i.billing_status in ('unbilled', 'ready') and c.status <> 'active')
         or (i.billing_status = 'cost_only'
             and exists ({_LINE} and tc.status = 'draft' and i.class = any(t.includes))) then 'contract_not_active' end,
  case when i.billing_status in ('unbilled', 'ready') and i.amount is null then coalesce(i.unpriced, 'no_price') end,
  case when i.billing_status = 'unbilled' then 'not_ready' end,
  case when i.billing_status in ('posted', 'canceled', 'on_invoice') then i.billing_status end,
  case when i.billing_status in ('unbilled', 'ready')
        and i.date > ($1::timestamptz at time zone coalesce(c.time_zone, 'UTC'))::date then 'future_dated' end,
  case when i.billing_status in ('unbilled', 'ready') and i.date < l.billing_start then 'before_billing_start' end,
  case when i.billing_status in ('unbilled', 'ready') and i.date > c.end_date then 'after_contract_end' end,
  case when i.billing_status in ('unbilled', 'ready') and i.billing_type = 'non_chargeable' then 'not_chargeable' end,
  case when {MISSING_FOR_WORK} then 'schedule_missing' end,
  case when not i.has_cost_price and i.billing_status not in ('posted', 'canceled') then 'no_cost_price' end
], null)"""

_FIELDS = (
    "id, class, billing_type, date, quantity, unit, price, amount, tax, currency, project, task, resource, role, "
    "category, product, description, external_description, contract_id, contract_line_id, entry_id, entry_revision, "
    "journal_line_id"
)
# Milestones and product lines are open items too, with review lists of their own.
OPEN = f"""
select {_FIELDS}, billing_status, claim_id, has_cost_price, unpriced, changed_by, changed_at from items
where source = 'backlog'"""
CLOSED = f"""
select {_FIELDS}, billing_status, null::uuid, true, null, posted_by, posted_at from actuals
where type = 'unbilled_sales' and reverses is null and billing_status in ('posted', 'canceled')"""
# What is open in money, and what cannot be said in money for want of a price. One scan: status is in no index.
SUMMED = """
select billing_status, currency, sum(amount) filter (where amount is not null) as amount,
  count(*) filter (where amount is null) as unpriced
from items where billing_status <> 'cost_only' and billing_type = 'chargeable' group by billing_status, currency
"""
LIST = """
select i.*, {reasons} as reasons, coalesce(cl.invoice_id, r.invoice_id) as invoice_id
from ({source}) i
left join contracts c on c.id = i.contract_id
left join contract_lines l on l.id = i.contract_line_id
left join claims cl on cl.id = i.claim_id
left join actuals r on i.billing_status in ('posted', 'canceled') and r.reverses = i.id
where ($2::uuid is null or i.id > $2) {where}
order by i.id limit $3
"""
OPERATORS = {
    "contract_id": "i.contract_id = {}",
    "contract_line_id": "i.contract_line_id = {}",
    "project": "i.project = {}",
    "entry_id": "i.entry_id = {}",
    "item_class": "i.class = {}",
    "billing_status": "i.billing_status = {}",
    "billing_type": "i.billing_type = {}",
    "date_from": "i.date >= {}",
    "date_to": "i.date <= {}",
}


def conditions(wanted: ItemFilter, first: int) -> tuple[str, list[Any]]:
    """(SQL beginning with `and`, arguments from `$first` on) of a filter."""
    parts: list[str] = []
    values: list[Any] = []
    for name, form in OPERATORS.items():
        value = getattr(wanted, name)
        if value is not None:
            parts.append(" and " + form.format(f"${first + len(values)}"))
            values.append(value)
    if wanted.reason is not None:
        parts.append(f" and ${first + len(values)} = any({REASONS})")
        values.append(wanted.reason)
    return "".join(parts), values


def _source(wanted: ItemFilter) -> str:
    if wanted.billing_status in ("posted", "canceled"):
        # The columns get their names from the open half, which finds nothing.
        return f"{OPEN} and false union all {CLOSED}"
    return f"{OPEN} union all {CLOSED}" if wanted.entry_id else OPEN


async def page(
    session: AsyncSession, clock: Clock, wanted: ItemFilter, after: UUID | None, limit: int
) -> list[Mapping[str, Any]]:
    """Up to `limit` items after `after`, sorted by id."""
    where, values = conditions(wanted, 4)
    sql = LIST.format(reasons=REASONS, source=_source(wanted), where=where)
    return [dict(row) for row in await fetch(session, sql, clock.now(), after, limit, *values)]


async def matching(session: AsyncSession, clock: Clock, source: str, wanted: ItemFilter, most: int) -> list[UUID]:
    """Ids of open items of a source under a filter, `most` at the most."""
    where, values = conditions(wanted, 4)
    return [row["id"] for row in await fetch(session, MATCHING.format(where=where), clock.now(), source, most, *values)]


async def by_id(session: AsyncSession, clock: Clock, item_id: UUID) -> Mapping[str, Any] | None:
    """One item, open or closed, or None."""
    sql = LIST.format(reasons=REASONS, source=f"{OPEN} union all {CLOSED}", where="and i.id = $4")
    return await fetch_one(session, sql, clock.now(), None, 1, item_id)


MATCHING = """
select i.id from items i left join contracts c on c.id = i.contract_id
left join contract_lines l on l.id = i.contract_line_id
where $1::timestamptz is not null and i.source = $2 {where} order by i.id limit $3
"""
TARGETS = """
insert into job_targets (job_id, n, target_id)
select $2, row_number() over (order by i.contract_id, i.id), i.id
from items i left join contracts c on c.id = i.contract_id
left join contract_lines l on l.id = i.contract_line_id
where $1::timestamptz is not null and i.source = $3 {where}
"""


async def fix_targets(session: AsyncSession, clock: Clock, job_id: UUID, source: str, wanted: ItemFilter) -> int:
    """Fixes a job's targets, the open items of a source under a filter, contract by contract; returns how many."""
    where, values = conditions(wanted, 4)
    return await execute(session, TARGETS.format(where=where), clock.now(), job_id, source, *values)
