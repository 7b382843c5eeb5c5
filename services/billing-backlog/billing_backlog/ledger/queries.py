"""Reads of the ledger: rows, lineage, summary."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.ledger.schemas import ActualOut, ActualQuery, Figures, LineageOut, LineSummary, SummaryOut
from proforma.db import fetch, fetch_one

# While its item is open, the status of a row is the item's: it moves there, where it costs a HOT update.
_ROWS = """
select a.*, coalesce(i.billing_status, a.billing_status) as status
from actuals a left join items i on i.id = a.id
"""
_OPERATORS = {
    "type": "a.type = {}", "item_class": "a.class = {}", "billing_type": "a.billing_type = {}", "cause": "a.cause = {}",
    "contract_id": "a.contract_id = {}", "contract_line_id": "a.contract_line_id = {}", "project": "a.project = {}",
    "entry_id": "a.entry_id = {}", "journal_line_id": "a.journal_line_id = {}", "item_id": "a.item_id = {}",
    "invoice_id": "a.invoice_id = {}", "invoice_detail_id": "a.invoice_detail_id = {}",
    "reverses": "a.reverses = {}", "date_from": "a.date >= {}", "date_to": "a.date <= {}",
}  # fmt: skip
_TIES = "a.id, a.reverses, a.replaces, a.entry_id, a.journal_line_id, a.item_id, a.contract_id"
# One look-up a tie, so that each has its index. What replaces a row has its source; a detail that was added by hand has
# none and is looked for among its contract's.
_LINEAGE = f"""
with recursive tied as (
  select {_TIES} from actuals a where a.id = $1
  union
  select {_TIES.replace("a.", "f.")} from tied t cross join lateral (
    select {_TIES} from actuals a where a.id in (t.reverses, t.replaces)
    union all select {_TIES} from actuals a where a.reverses = t.id
    union all select {_TIES} from actuals a where a.entry_id = t.entry_id
    union all select {_TIES} from actuals a where a.journal_line_id = t.journal_line_id
    union all select {_TIES} from actuals a where a.item_id = t.item_id
    union all select {_TIES} from actuals a where a.contract_id = t.contract_id and a.replaces = t.id
      and t.entry_id is null and t.journal_line_id is null and t.item_id is null) f)
{_ROWS} where a.id in (select id from tied) order by a.posted_at, a.id limit 1000
"""
_SUMMARY = """
select l.id as contract_line_id, l.name, c.currency,
  case when l.kind = 'product' then l.amount else l.contracted_amount end as contract_value,
  coalesce((select sum(amount) from actuals a where a.contract_line_id = l.id and a.contract_id = c.id
            and a.type = 'cost'), 0) as cost,
  (select array_agg(distinct currency) from actuals a where a.contract_line_id = l.id and a.contract_id = c.id
    and a.type = 'cost' and currency is not null) as cost_currencies,
  coalesce((select sum(amount) from actuals a where a.contract_line_id = l.id and a.contract_id = c.id
            and a.type = 'billed_sales' and a.billing_type = 'chargeable'), 0) as billed,
  o.unbilled, o.ready, o.on_draft, o.unpriced_items
from contracts c join contract_lines l on l.contract_id = c.id
cross join lateral (
  select
    coalesce(sum(amount) filter (where billing_status = 'unbilled' and billing_type = 'chargeable'), 0) as unbilled,
    coalesce(sum(amount) filter (where billing_status = 'ready' and billing_type = 'chargeable'), 0) as ready,
    coalesce(sum(amount) filter (where billing_status = 'on_invoice' and billing_type = 'chargeable'), 0) as on_draft,
    count(*) filter (where amount is null)::int as unpriced_items
  from items i where i.contract_id = c.id and i.contract_line_id = l.id) o
where c.id = $1 order by l.id
"""


def _shown(row: Mapping[str, Any]) -> ActualOut:
    return ActualOut.model_validate({**row, "billing_status": row["status"]})


async def page(session: AsyncSession, wanted: ActualQuery, after: UUID | None, limit: int) -> list[ActualOut]:
    """Up to `limit` rows after `after`, sorted by id, which is the order of their making."""
    parts: list[str] = []
    values: list[Any] = []
    for name, form in _OPERATORS.items():
        value = getattr(wanted, name)
        if value is not None:
            parts.append(" and " + form.format(f"${len(values) + 3}"))
            values.append(value)
    sql = f"{_ROWS} where ($1::uuid is null or a.id > $1) {''.join(parts)} order by a.id limit $2"
    return [_shown(row) for row in await fetch(session, sql, after, limit, *values)]


async def by_id(session: AsyncSession, actual_id: UUID) -> ActualOut | None:
    """One row, or None."""
    row = await fetch_one(session, f"{_ROWS} where a.id = $1", actual_id)
    return _shown(row) if row is not None else None


async def lineage(session: AsyncSession, actual_id: UUID) -> LineageOut | None:
    """The rows tied to one by entry, reversal or replacement (1,000 at most), or None."""
    rows = [_shown(row) for row in await fetch(session, _LINEAGE, actual_id)]
    if not rows:
        return None
    start = next(row for row in rows if row.id == actual_id)
    invoices = sorted({row.invoice_id for row in rows if row.invoice_id is not None})
    return LineageOut(
        actual_id=actual_id, entry_id=start.entry_id, journal_line_id=start.journal_line_id, item_id=start.item_id,
        invoice_ids=invoices, actuals=rows,
    )  # fmt: skip


async def summary(session: AsyncSession, contract_id: UUID) -> SummaryOut | None:
    """Where a contract stands, per line and in all, or None."""
    contract = await fetch_one(session, "select currency from contracts where id = $1", contract_id)
    if contract is None:
        return None
    rows = await fetch(session, _SUMMARY, contract_id)
    names = ("cost", "unbilled", "ready", "on_draft", "billed")
    lines = [LineSummary.model_validate({**row, "remaining": _remaining(row)}) for row in rows]
    sums = {name: sum((getattr(line, name) for line in lines), Decimal(0)) for name in names}
    currencies = {currency for row in rows for currency in row["cost_currencies"] or []}
    total = Figures(
        contract_value=_whole([line.contract_value for line in lines]),
        remaining=_whole([line.remaining for line in lines]),
        unpriced_items=sum(line.unpriced_items for line in lines), **sums,
    )  # fmt: skip
    return SummaryOut(
        contract_id=contract_id, currency=contract["currency"], total=total, lines=lines,
        cost_currency=currencies.pop() if len(currencies) == 1 else None,
    )  # fmt: skip


def _remaining(row: Mapping[str, Any]) -> Decimal | None:
    value: Decimal | None = row["contract_value"]
    return None if value is None else value - row["billed"]


def _whole(parts: Sequence[Decimal | None]) -> Decimal | None:
    known = [part for part in parts if part is not None]
    return sum(known, Decimal(0)) if known else None
