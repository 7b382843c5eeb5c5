"""Reads of the ledger: rows and summary."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.ledger.schemas import ActualOut, ActualQuery, Figures, LineSummary, SummaryOut
from proforma.db import fetch, fetch_one

# While its item is open, the status of a row is the item's: it moves there, where it costs a HOT update.
ROWS = """
select a.*, coalesce(i.billing_status, a.billing_status) as status
from actuals a left join items i on i.id = a.id
"""
_OPERATORS = {
    "type": "a.type = {}", "item_class": "a.class = {}", "billing_type": "a.billing_type = {}", "cause": "a.cause = {}",
    "contract_id": "a.contract_id = {}", "contract_line_id": "a.contract_line_id = {}", "project": "a.project = {}",
    "entry_id": "a.entry_id = {}", "journal_line_id": "a.journal_line_id = {}", "item_id": "a.item_id = {}",
    "invoice_id": "a.invoice_id = {}", "invoice_detail_id": "a.invoice_detail_id = {}",
    "reverses": "a.reverses = {}", "replaces": "a.replaces = {}", "entry_revision": "a.entry_revision = {}",
    "billing_status": "coalesce(i.billing_status, a.billing_status) = {}", "adjustment": "a.adjustment = {}",
    "currency": "a.currency = {}", "quantity": "a.quantity = {}", "price": "a.price = {}", "amount": "a.amount = {}",
    "tax": "a.tax = {}", "date_from": "a.date >= {}", "date_to": "a.date <= {}",
    "accounting_date_from": "a.accounting_date >= {}", "accounting_date_to": "a.accounting_date <= {}",
    "posted_from": "a.posted_at >= {}", "posted_to": "a.posted_at <= {}",
}  # fmt: skip
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


def shown(row: Mapping[str, Any]) -> ActualOut:
    """A row as the API shows it."""
    return ActualOut.model_validate({**row, "billing_status": row["status"]})


async def page(session: AsyncSession, wanted: ActualQuery, after: UUID | None, limit: int) -> list[ActualOut]:
    """Up to `limit` rows after `after`, sorted by id."""
    parts: list[str] = []
    values: list[Any] = []
    for name, form in _OPERATORS.items():
        value = getattr(wanted, name)
        if value is not None:
            parts.append(" and " + form.format(f"${len(values) + 3}"))
            values.append(value)
    sql = f"{ROWS} where ($1::uuid is null or a.id > $1) {''.join(parts)} order by a.id limit $2"
    return [shown(row) for row in await fetch(session, sql, after, limit, *values)]


async def by_id(session: AsyncSession, actual_id: UUID) -> ActualOut | None:
    """One row, or None."""
    row = await fetch_one(session, f"{ROWS} where a.id = $1", actual_id)
    return shown(row) if row is not None else None


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
