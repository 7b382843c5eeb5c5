"""Reads of lineage: the rows that are tied to one, and what is behind them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.ledger.queries import ROWS, shown
from billing_backlog.ledger.schemas import ActualOut
from billing_backlog.lineage.schemas import EntryOrigin, ExchangeOrigin, LineageOut, RateOrigin
from proforma.db import fetch, fetch_one
from proforma.events.time_expense import ApprovedEntry

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
{ROWS} where a.id in (select id from tied) order by a.posted_at, a.id limit 1000
"""
_ENTRY = "select state, content from entries where entry_id = $1 and content is not null"
_RATES = """
select r.id, r.price_list_id, p.name as price_list, p.currency, r.class, coalesce(r.role, r.category, r.product) as key,
       r.resource, r.unit, r.method, r.price, r.markup_percent
from rates r join price_lists p on p.id = r.price_list_id where r.id = any($1::uuid[]) order by r.id
"""
_EXCHANGE_RATES = """
select id, from_currency as "from", to_currency as "to", date, rate from exchange_rates
where id = any($1::uuid[]) order by id
"""


async def lineage(session: AsyncSession, actual_id: UUID) -> LineageOut | None:
    """The rows tied to one by entry, reversal or replacement (1,000 at most) and what they come from, or None."""
    rows = [shown(row) for row in await fetch(session, _LINEAGE, actual_id)]
    if not rows:
        return None
    start = next(row for row in rows if row.id == actual_id)
    rates = await fetch(session, _RATES, _named(rows, "rate_id"))
    exchange_rates = await fetch(session, _EXCHANGE_RATES, _named(rows, "exchange_rate_id"))
    return LineageOut(
        actual_id=actual_id, entry_id=start.entry_id, journal_line_id=start.journal_line_id, item_id=start.item_id,
        entry=await _entry(session, start.entry_id), rates=[RateOrigin.model_validate(dict(row)) for row in rates],
        exchange_rates=[ExchangeOrigin.model_validate(dict(row)) for row in exchange_rates],
        invoice_ids=_named(rows, "invoice_id"), actuals=rows,
    )  # fmt: skip


def _named(rows: Sequence[ActualOut], name: str) -> list[UUID]:
    return sorted({found for row in rows if (found := getattr(row, name)) is not None})


async def _entry(session: AsyncSession, entry_id: UUID | None) -> EntryOrigin | None:
    if entry_id is None:
        return None
    row = await fetch_one(session, _ENTRY, entry_id)
    if row is None:
        return None
    came: dict[str, Any] = ApprovedEntry.model_validate_json(row["content"]).model_dump(by_alias=False)
    return EntryOrigin.model_validate(
        {name: came.get(name) for name in EntryOrigin.model_fields} | {"state": row["state"]}
    )
