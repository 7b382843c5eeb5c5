"""Reads of price lists, their rates and their use."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.price_lists.schemas import PriceListFilter
from billing_backlog.price_lists.tables import PriceList
from proforma.db import fetch, fetch_one, fetch_value, lock_keys
from proforma.errors import NotFound
from proforma.pages import after_id

PAGE = """
select p.*, (select count(*) from rates r where r.price_list_id = p.id) as rate_count
from price_lists p
where ($1::uuid is null or p.id > $1) and ($2::text is null or p.kind = $2)
  and ($3::text is null or p.currency = $3) and ($4::text is null or p.external_id = $4)
order by p.id limit $5
"""
RATES = """
select id, price_list_id, class, role, category, product, resource, unit, method, price, markup_percent from rates
where price_list_id = any($1::uuid[]) order by class, role, category, product, resource, unit
"""
TERMS = "select id, kind, currency, valid_from, valid_to from price_lists where id = any($1::uuid[])"
USER = """
select id from contracts where sales_price_list_ids @> array[$1::uuid] or cost_price_list_id = $1 order by id limit 1
"""
OVERLAP = """
select c.id as contract_id, p.id as price_list_id
from contracts c join price_lists p on p.id = any(c.sales_price_list_ids)
where c.sales_price_list_ids @> array[$1::uuid] and p.id <> $1
  and daterange(p.valid_from, p.valid_to, '[]') && daterange($2::date, $3::date, '[]')
order by 1, 2 limit 1
"""


async def lock_use(session: AsyncSession, *, shared: bool) -> None:
    """Holds which contracts use which lists, and what makes a list fit for them, until the transaction ends.

    Taken before every other lock: shared by whoever names lists in a contract, exclusive by whoever deletes a list
    or changes its kind, currency or validity. Without it two lists of one contract could be widened into each other
    at once, each edit seeing the other list as it was; or a list be deleted while a contract takes it up.
    """
    await lock_keys(session, "price lists", ["use"], shared=shared)


async def get_price_list(session: AsyncSession, price_list_id: UUID, *, lock: bool = False) -> PriceList:
    """The price list, locked for a change where asked for; raises NotFound."""
    found = await session.get(PriceList, price_list_id, with_for_update=lock or None, populate_existing=lock)
    if found is None:
        raise NotFound(f"no price list {price_list_id}")
    return found


async def page(session: AsyncSession, wanted: PriceListFilter) -> list[asyncpg.Record]:
    """limit + 1 price lists, by id, with how many rates they have."""
    after = after_id(wanted.after)
    return await fetch(session, PAGE, after, wanted.kind, wanted.currency, wanted.external_id, wanted.limit + 1)


async def rates_of(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, list[asyncpg.Record]]:
    """Rates by price list, by class, role, category, product, resource and unit; without one comes last."""
    found: dict[UUID, list[asyncpg.Record]] = defaultdict(list)
    for row in await fetch(session, RATES, list(ids)):
        found[row["price_list_id"]].append(row)
    return found


async def terms_of(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, asyncpg.Record]:
    """Kind, currency and validity of those of `ids` that exist."""
    return {row["id"]: row for row in await fetch(session, TERMS, list(set(ids)))}


async def user_of(session: AsyncSession, price_list_id: UUID) -> UUID | None:
    """A contract that names the list; None when no contract does."""
    found: UUID | None = await fetch_value(session, USER, price_list_id)
    return found


async def overlap_with(
    session: AsyncSession, price_list_id: UUID, first: date | None, last: date | None
) -> asyncpg.Record | None:
    """A contract, and another sales list of it, that this list would overlap if it were valid from first to last."""
    return await fetch_one(session, OVERLAP, price_list_id, first, last)
