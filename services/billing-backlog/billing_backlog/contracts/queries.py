"""Reads and locks of contracts."""

from collections.abc import Collection
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.contracts.schemas import ContractFilter
from billing_backlog.contracts.tables import Contract
from proforma.db import fetch, fetch_value, lock_keys
from proforma.errors import NotFound, Unavailable
from proforma.pages import after_id

LOCK_ATTEMPTS = 5

PAGE = """
select * from contracts
where ($1::uuid is null or id > $1) and ($2::text is null or status = $2)
  and ($3::uuid is null or customer_id = $3) and ($4::text is null or external_id = $4)
order by id limit $5
"""
LOCK = "select * from contracts where id = any($1::uuid[]) order by id for update"
PROJECTS = """
select distinct project from contract_lines where contract_id = any($1::uuid[]) and project is not null
"""
HAS_WORK = """
select exists (select from actuals where contract_id = $1) or exists (select from items where contract_id = $1)
"""
HAS_AMOUNTS = "select exists (select from contract_lines where contract_id = $1 and contracted_amount is not null)"


async def get_contract(session: AsyncSession, contract_id: UUID) -> Contract:
    """The contract as it is now; raises NotFound."""
    found = await session.get(Contract, contract_id, populate_existing=True)
    if found is None:
        raise NotFound(f"no contract {contract_id}")
    return found


async def page(session: AsyncSession, wanted: ContractFilter) -> list[asyncpg.Record]:
    """limit + 1 contracts, by id."""
    after = after_id(wanted.after)
    return await fetch(session, PAGE, after, wanted.status, wanted.customer_id, wanted.external_id, wanted.limit + 1)


async def lock_contracts(session: AsyncSession, ids: Collection[UUID]) -> list[asyncpg.Record]:
    """Those of `ids` that exist, locked FOR UPDATE in the order of their ids, as they are under the lock.

    Sorted, because two runs over the same contracts in different orders would wait for each other.
    """
    return await fetch(session, LOCK, list(set(ids)))


async def lock_terms(
    session: AsyncSession, ids: Collection[UUID], also: Collection[str] = ()
) -> dict[UUID, asyncpg.Record]:
    """Locks the contracts for a change of their terms or lines; returns those that exist, as they are now.

    First the projects of their lines and the projects `also`, exclusively, then the contracts: approvals hold their
    project shared while they look for the line of a piece of work, so a line that changed under them would take work
    that it no longer covers, or leave work without a line (design §5.5, §5.6). When a project was added before the
    contracts were locked, everything is let go (a savepoint's locks go with it) and begun again: to lock a project
    behind a contract is the wrong order, and would wait for those who go by the right one.
    """
    for _ in range(LOCK_ATTEMPTS):
        savepoint = await session.begin_nested()
        projects = await _projects_of(session, ids) | set(also)
        await lock_keys(session, "project", projects)
        contracts = {row["id"]: row for row in await lock_contracts(session, ids)}
        if await _projects_of(session, ids) <= projects:
            await savepoint.commit()
            return contracts
        await savepoint.rollback()
    raise Unavailable("the contract's lines keep changing; nothing was changed")


async def _projects_of(session: AsyncSession, ids: Collection[UUID]) -> set[str]:
    return {row["project"] for row in await fetch(session, PROJECTS, list(ids))}


async def has_work(session: AsyncSession, contract_id: UUID) -> bool:
    """True once anything was posted on the contract or waits to be billed."""
    return bool(await fetch_value(session, HAS_WORK, contract_id))


async def has_amounts(session: AsyncSession, contract_id: UUID) -> bool:
    """True once a line of the contract has an amount, which is one in the contract's currency."""
    return bool(await fetch_value(session, HAS_AMOUNTS, contract_id))
