"""Reads of prices: lists with the rates that a batch of work may need, and exchange rates by day."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.pricing.rules import Exchange, ExchangeRate, PriceList, Rate, RateKey, Wanted
from proforma.db import fetch

LISTS = """
select id, kind, currency, valid_from, valid_to, created_at from price_lists
where id = any($1::uuid[]) or kind = 'cost'
"""
RATES = """
select id, price_list_id, class, coalesce(role, category, product) as key, resource, unit, method, price, markup_percent
from rates
where price_list_id = any($1::uuid[])
  and (coalesce(role, category, product) = any($2::text[]) or coalesce(role, category, product) is null)
  and (resource is null or resource = any($3::text[]))
"""
# The newest on or before the day of the work.
EXCHANGE = """
select w.source, w.target, w.day, r.id, r.rate
from unnest($1::text[], $2::text[], $3::date[]) w (source, target, day)
cross join lateral (
  select id, rate from exchange_rates r
  where r.from_currency = w.source and r.to_currency = w.target and r.date <= w.day order by r.date desc limit 1) r
"""


@dataclass(frozen=True, slots=True)
class Lists:
    """Price lists by id (all that were asked for), and every cost list."""

    by_id: dict[UUID, PriceList]
    costs: list[PriceList]

    def of(self, ids: Iterable[UUID]) -> list[PriceList]:
        """Those of `ids` that there are, in this order."""
        return [self.by_id[one] for one in ids if one in self.by_id]


async def lists_for(session: AsyncSession, sales_ids: Collection[UUID], wanted: Collection[Wanted]) -> Lists:
    """These sales lists and all cost lists, with the rates that this work may need."""
    rows = await fetch(session, LISTS, list(sales_ids))
    keys = {one.key for one in wanted if one.key is not None}
    resources = {one.resource for one in wanted}
    rates: dict[UUID, dict[RateKey, Rate]] = defaultdict(dict)
    for row in await fetch(session, RATES, [row["id"] for row in rows], list(keys), list(resources)):
        rate = Rate(row["id"], row["method"], row["price"], row["markup_percent"])
        rates[row["price_list_id"]][row["class"], row["key"], row["resource"], row["unit"]] = rate
    lists = {
        row["id"]: PriceList(
            row["id"], row["currency"], row["valid_from"], row["valid_to"], row["created_at"], rates[row["id"]]
        )
        for row in rows
    }
    return Lists(lists, [lists[row["id"]] for row in rows if row["kind"] == "cost"])


async def exchange_rates(session: AsyncSession, wanted: Collection[Exchange]) -> dict[Exchange, ExchangeRate]:
    """The rates that there are for these currencies and days."""
    if not wanted:
        return {}
    columns = [list(column) for column in zip(*sorted(wanted), strict=True)]
    rows = await fetch(session, EXCHANGE, *columns)
    return {(row["source"], row["target"], row["day"]): ExchangeRate(row["id"], row["rate"]) for row in rows}
