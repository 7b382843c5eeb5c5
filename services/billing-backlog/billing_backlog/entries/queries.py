"""Reads of an approval: the lines and rates of the batch's projects, in a handful of statements."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.entries.rules import Line, PriceList, Rate
from proforma.db import fetch

LINES = """
select l.id, l.contract_id, l.project, l.tasks, l.includes, l.valid_from, l.valid_to,
       c.currency, c.sales_price_list_ids, c.cost_price_list_id
from contract_lines l join contracts c on c.id = l.contract_id
where l.project = any($1::text[]) and c.status = 'active'
order by l.id
"""
LISTS = """
select id, kind, currency, valid_from, valid_to, created_at from price_lists
where id = any($1::uuid[]) or kind = 'cost'
"""
RATES = """
select id, price_list_id, class, role, price from rates
where price_list_id = any($1::uuid[]) and role = any($2::text[]) and price is not null
"""
SEEN = (
    "select entry_id, revision, state, content_hash from entries where entry_id = any($1::uuid[]) order by 1 for update"
)


async def lines_of(session: AsyncSession, projects: Collection[str]) -> dict[str, list[Line]]:
    """Lines of active contracts, by project."""
    found: dict[str, list[Line]] = defaultdict(list)
    for row in await fetch(session, LINES, list(projects)):
        line = Line(
            id=row["id"], contract_id=row["contract_id"], project=row["project"],
            tasks=frozenset(row["tasks"]) if row["tasks"] is not None else None,
            includes=frozenset(row["includes"]), valid_from=row["valid_from"], valid_to=row["valid_to"],
            currency=row["currency"], sales_list_ids=tuple(row["sales_price_list_ids"]),
            cost_list_id=row["cost_price_list_id"],
        )  # fmt: skip
        found[row["project"]].append(line)
    return found


async def price_lists(
    session: AsyncSession, sales_ids: Collection[UUID], roles: Collection[str]
) -> tuple[Mapping[UUID, PriceList], list[PriceList]]:
    """(sales lists by id, all cost lists), with the rates of these roles only."""
    rows = await fetch(session, LISTS, list(sales_ids))
    currencies = {row["id"]: row["currency"] for row in rows}
    rates: dict[UUID, dict[tuple[str, str], Rate]] = defaultdict(dict)
    for rate in await fetch(session, RATES, list(currencies), list(roles)):
        list_id = rate["price_list_id"]
        rates[list_id][rate["class"], rate["role"]] = Rate(rate["id"], rate["price"], currencies[list_id])
    lists = {
        row["id"]: PriceList(
            row["id"], row["currency"], row["valid_from"], row["valid_to"], row["created_at"], rates[row["id"]]
        )
        for row in rows
    }
    costs = [lists[row["id"]] for row in rows if row["kind"] == "cost"]
    return lists, costs
