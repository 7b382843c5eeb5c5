"""SQL of claims and their chunks."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from proforma.context import Context
from proforma.db import execute, fetch, fetch_one

LOCK = "select * from claims where id = any($1::uuid[]) order by id for update"
LOCK_OF_INVOICE = "select * from claims where invoice_id = $1 order by id for update"
FIND = "select * from claims where id = $1"
ADD = """
insert into claims (id, status, run_id, contract_id, invoice_id, chunks, seen, items, items_seen, created_at)
select id, 'live', run, contract, invoice, chunks, 0, items, 0, $7
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int[], $6::int[])
  c (id, run, contract, invoice, chunks, items)
returning *
"""
BURY = """
insert into claims (id, status, run_id, contract_id, chunks, seen, items, items_seen, created_at, dropped_at,
                    dropped_by)
values ($1, 'dropped', $2, $3, 0, 0, 0, 0, $4, $4, $5)
"""
ADD_CHUNKS = """
insert into claim_chunks (claim_id, chunk, items, received_at)
select c, n, i, $4 from unnest($1::uuid[], $2::int[], $3::int[]) rows (c, n, i)
on conflict do nothing returning claim_id, chunk
"""
COUNT = """
update claims c set seen = s.seen, items_seen = s.items_seen
from unnest($1::uuid[], $2::int[], $3::int[]) s (id, seen, items_seen) where c.id = s.id
"""
DROP = """
update claims set status = 'dropped', dropped_at = $2, dropped_by = $3 where id = any($1::uuid[]) and status = 'live'
"""
UNFINISHED = """
select distinct invoice_id from claims where invoice_id = any($1::uuid[]) and status = 'live' and seen < chunks
"""
# What `drafted` says: control totals over all details, and what each live claim brought.
DRAFTED = """
select i.id, i.contract_id, i.run_id, i.currency, i.invoice_date, d.count, d.quantity, d.amount, d.tax
from invoices i cross join lateral (
  select count(*)::int as count, coalesce(sum(quantity), 0) as quantity, coalesce(sum(amount), 0) as amount,
         coalesce(sum(tax), 0) as tax
  from invoice_details where invoice_id = i.id) d
where i.id = any($1::uuid[]) order by i.id
"""
LIVE = "select id, invoice_id, items from claims where invoice_id = any($1::uuid[]) and status = 'live' order by id"


async def lock(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, Mapping[str, Any]]:
    """Those of `ids` that are known, locked."""
    return {row["id"]: row for row in await fetch(session, LOCK, list(set(ids)))}


async def lock_of_invoice(session: AsyncSession, invoice_id: UUID) -> list[asyncpg.Record]:
    """Every claim that came on to the invoice, locked."""
    return await fetch(session, LOCK_OF_INVOICE, invoice_id)


async def find(session: AsyncSession, claim_id: UUID) -> Mapping[str, Any] | None:
    """The claim as it is, unlocked. Which invoice it is on never changes."""
    return await fetch_one(session, FIND, claim_id)


async def add(session: AsyncSession, context: Context, claims: Sequence[Mapping[str, Any]]) -> list[asyncpg.Record]:
    """New live claims with nothing seen: `id`, `run_id`, `contract_id`, `invoice_id`, `chunks`, `items` of each."""
    names = ("id", "run_id", "contract_id", "invoice_id", "chunks", "items")
    columns = [[claim[name] for claim in claims] for name in names]
    return await fetch(session, ADD, *columns, context.clock.now())


async def bury(session: AsyncSession, context: Context, claim_id: UUID, run_id: UUID, contract_id: UUID) -> None:
    """Marks a claim that nobody has heard of as dropped, so that its chunks do nothing when they come."""
    await execute(session, BURY, claim_id, run_id, contract_id, context.clock.now(), context.actor)


async def add_chunks(
    session: AsyncSession, context: Context, chunks: Sequence[tuple[UUID, int, int]]
) -> set[tuple[UUID, int]]:
    """Marks (claim, chunk, items) as in; returns those (claim, chunk) that were not."""
    columns = [list(column) for column in zip(*chunks, strict=True)]
    return {(row["claim_id"], row["chunk"]) for row in await fetch(session, ADD_CHUNKS, *columns, context.clock.now())}


async def count(session: AsyncSession, seen: Mapping[UUID, tuple[int, int]]) -> None:
    """Sets (chunks seen, items seen) of locked claims."""
    await execute(
        session, COUNT, list(seen), [chunks for chunks, _ in seen.values()], [items for _, items in seen.values()]
    )


async def drop(session: AsyncSession, context: Context, ids: Collection[UUID]) -> None:
    """Marks live claims as dropped."""
    await execute(session, DROP, list(ids), context.clock.now(), context.actor)


async def unfinished(session: AsyncSession, invoice_ids: Collection[UUID]) -> set[UUID]:
    """The invoices that still wait for a chunk of a live claim."""
    return {row["invoice_id"] for row in await fetch(session, UNFINISHED, list(invoice_ids))}


async def drafted(
    session: AsyncSession, invoice_ids: Collection[UUID]
) -> tuple[list[asyncpg.Record], dict[UUID, list[asyncpg.Record]]]:
    """Header and control totals of each invoice, and the live claims by invoice."""
    headers = await fetch(session, DRAFTED, list(invoice_ids))
    claims: dict[UUID, list[asyncpg.Record]] = {}
    for row in await fetch(session, LIVE, list(invoice_ids)):
        claims.setdefault(row["invoice_id"], []).append(row)
    return headers, claims
