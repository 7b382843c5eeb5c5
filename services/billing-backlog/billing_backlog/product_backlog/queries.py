"""Reads of the product backlog."""

from datetime import datetime

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.agreed_items.queries import BILLED, REASONS, STATUS
from billing_backlog.product_backlog.schemas import ProductQuery
from proforma.db import fetch
from proforma.pages import after_id

_DATE = "coalesce(i.date, (l.created_at at time zone c.time_zone)::date)"
PAGE = f"""
select l.id, 'product' as class, {STATUS} as billing_status, {REASONS} as reasons, {_DATE} as date, l.name, l.product,
       l.quantity, l.unit, l.price, l.amount, l.tax, c.currency, l.contract_id, l.id as contract_line_id,
       coalesce(k.invoice_id, b.invoice_id) as invoice_id
from contract_lines l
join contracts c on c.id = l.contract_id
left join items i on i.id = l.id
left join claims k on k.id = i.claim_id
{BILLED.format(id="l.id")}
where $1::timestamptz is not null and l.kind = 'product' and ($2::uuid is null or l.id > $2)
  and ($3::uuid is null or l.contract_id = $3) and ($4::uuid is null or l.id = $4)
  and ($5::text is null or l.product = $5) and case when $6::text is null then i.id is not null else {STATUS} = $6 end
  and ($7::date is null or {_DATE} >= $7) and ($8::date is null or {_DATE} <= $8)
  and ($9::text is null or $9 = any({REASONS}))
order by l.id limit $10
"""


async def page(session: AsyncSession, now: datetime, wanted: ProductQuery) -> list[asyncpg.Record]:
    """limit + 1 product lines as items, by id."""
    return await fetch(
        session, PAGE, now, after_id(wanted.after), wanted.contract_id, wanted.contract_line_id, wanted.product,
        wanted.billing_status, wanted.date_from, wanted.date_to, wanted.reason, wanted.limit + 1,
    )  # fmt: skip
