"""Reads of contract lines."""

from collections.abc import Collection, Sequence
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.agreed_items.queries import BILLED, STATUS
from billing_backlog.contract_lines.schemas import ContractLineFilter
from billing_backlog.contract_lines.tables import ContractLine
from proforma.db import fetch, fetch_value
from proforma.errors import NotFound
from proforma.pages import after_id

_SHOWN = f"""
select l.*, case when l.kind = 'product' then {STATUS} end as billing_status,
       coalesce(k.invoice_id, b.invoice_id) as invoice_id
from contract_lines l
left join items i on i.id = l.id and l.kind = 'product'
left join claims k on k.id = i.claim_id
{BILLED.format(id="l.id")}
"""
PAGE = f"""
{_SHOWN} where ($1::uuid is null or l.id > $1) and ($2::uuid is null or l.contract_id = $2)
  and ($3::text is null or l.kind = $3) and ($4::text is null or l.project = $4)
  and ($5::text is null or l.external_id = $5)
order by l.id limit $6
"""
SHOWN = f"{_SHOWN} where l.id = any($1::uuid[])"
ACTIVE = """
select l.id, l.contract_id, l.name, l.project, l.tasks, l.includes, l.valid_from, l.valid_to, l.billing_start,
       c.currency, c.sales_price_list_ids, c.cost_price_list_id
from contract_lines l join contracts c on c.id = l.contract_id
where l.project = any($1::text[]) and c.status = 'active'
order by l.id
"""
COUNTS = """
select contract_id, count(*) as lines from contract_lines where contract_id = any($1::uuid[]) group by contract_id
"""
PROJECTS = "select id, project from contract_lines where contract_id = $1"
HAS_WORK = """
select exists (select from actuals where contract_id = $2 and contract_line_id = $1)
  or exists (select from items where contract_id = $2 and contract_line_id = $1 and source = 'backlog')
"""
MILESTONES = "select id from milestones where contract_line_id = $1"
NOT_UNBILLED = """
select id from items
where contract_id = $2 and contract_line_id = $1 and source = 'milestone' and billing_status <> 'unbilled' limit 1
"""
DROP_MILESTONES = "delete from milestones where contract_line_id = $1"


async def get_line(session: AsyncSession, line_id: UUID) -> ContractLine:
    """The line as it is now; raises NotFound."""
    found = await session.get(ContractLine, line_id, populate_existing=True)
    if found is None:
        raise NotFound(f"no contract line {line_id}")
    return found


async def page(session: AsyncSession, wanted: ContractLineFilter) -> list[asyncpg.Record]:
    """limit + 1 lines, by id."""
    after = after_id(wanted.after)
    return await fetch(
        session, PAGE, after, wanted.contract_id, wanted.kind, wanted.project, wanted.external_id, wanted.limit + 1
    )


async def shown(session: AsyncSession, ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Lines with what their billing stands at, in the order of `ids`."""
    found = {row["id"]: row for row in await fetch(session, SHOWN, list(ids))}
    return [found[one] for one in ids if one in found]


async def active_lines(session: AsyncSession, projects: Collection[str]) -> list[asyncpg.Record]:
    """Lines of active contracts on these projects, by id, each with its contract's currency and price lists.

    Hold the projects' lock, or the lines may be others by the time that they are used.
    """
    return await fetch(session, ACTIVE, list(projects))


async def count_lines(session: AsyncSession, contract_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many lines each contract has; contracts without any are missing."""
    return {row["contract_id"]: row["lines"] for row in await fetch(session, COUNTS, list(contract_ids))}


async def projects_of(session: AsyncSession, contract_id: UUID) -> dict[UUID, str | None]:
    """The project of each of the contract's lines, by line; a product line has none."""
    return {row["id"]: row["project"] for row in await fetch(session, PROJECTS, contract_id)}


async def has_work(session: AsyncSession, line: ContractLine) -> bool:
    """True once anything was posted on the line or waits to be billed."""
    return bool(await fetch_value(session, HAS_WORK, line.id, line.contract_id))
