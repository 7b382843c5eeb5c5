"""Reads of exchange rates."""

import datetime
from collections.abc import Collection
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.exchange_rates.rules import Day
from billing_backlog.exchange_rates.schemas import ExchangeRateFilter
from billing_backlog.exchange_rates.tables import ExchangeRate
from proforma.db import fetch
from proforma.errors import NotFound
from proforma.pages import after_id

PAGE = """
select * from exchange_rates
where ($1::uuid is null or id > $1) and ($2::text is null or from_currency = $2)
  and ($3::text is null or to_currency = $3) and ($4::date is null or date >= $4) and ($5::date is null or date <= $5)
  and ($6::text is null or external_id = $6)
order by id limit $7
"""
OF_DAYS = """
select r.id, r.from_currency, r.to_currency, r.date
from unnest($1::text[], $2::text[], $3::date[]) w (source, target, day)
join exchange_rates r on r.from_currency = w.source and r.to_currency = w.target and r.date = w.day
"""


async def get_rate(session: AsyncSession, rate_id: UUID, *, lock: bool = False) -> ExchangeRate:
    """The rate, locked for a change where asked for; raises NotFound."""
    found = await session.get(ExchangeRate, rate_id, with_for_update=lock or None, populate_existing=lock)
    if found is None:
        raise NotFound(f"no exchange rate {rate_id}")
    return found


async def page(session: AsyncSession, wanted: ExchangeRateFilter) -> list[asyncpg.Record]:
    """limit + 1 rates, by id."""
    return await fetch(
        session, PAGE, after_id(wanted.after), wanted.from_currency, wanted.to_currency, wanted.date_from,
        wanted.date_to, wanted.external_id, wanted.limit + 1,
    )  # fmt: skip


async def of_days(session: AsyncSession, days: Collection[Day]) -> dict[Day, UUID]:
    """The rates that there are for these pairs and days."""
    columns: tuple[list[str], list[str], list[datetime.date]] = ([], [], [])
    for source, target, day in days:
        columns[0].append(source)
        columns[1].append(target)
        columns[2].append(day)
    rows = await fetch(session, OF_DAYS, *columns)
    return {(row["from_currency"], row["to_currency"], row["date"]): row["id"] for row in rows}
