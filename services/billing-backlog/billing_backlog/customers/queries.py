"""Reads of customers."""

from collections.abc import Collection
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.customers.schemas import CustomerFilter
from billing_backlog.customers.tables import Customer
from proforma.db import fetch
from proforma.errors import NotFound
from proforma.pages import after_id

PAGE = """
select * from customers
where ($1::uuid is null or id > $1) and ($2::text is null or external_id = $2)
order by id limit $3
"""
KNOWN = "select id from customers where id = any($1::uuid[])"


async def get_customer(session: AsyncSession, customer_id: UUID, *, lock: bool = False) -> Customer:
    """The customer, locked for a change where asked for; raises NotFound."""
    found = await session.get(Customer, customer_id, with_for_update=lock or None, populate_existing=lock)
    if found is None:
        raise NotFound(f"no customer {customer_id}")
    return found


async def page(session: AsyncSession, wanted: CustomerFilter) -> list[asyncpg.Record]:
    """limit + 1 customers, by id."""
    return await fetch(session, PAGE, after_id(wanted.after), wanted.external_id, wanted.limit + 1)


async def known_customers(session: AsyncSession, ids: Collection[UUID]) -> set[UUID]:
    """Those of `ids` that exist."""
    return {row["id"] for row in await fetch(session, KNOWN, list(set(ids)))}
