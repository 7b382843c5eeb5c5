"""Reads of an approval: the lines of the batch's projects, and what is known of its entries."""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.entries.rules import Line
from proforma.db import fetch

LINES = """
select l.id, l.contract_id, l.project, l.tasks, l.includes, l.valid_from, l.valid_to, l.billing_method,
       l.non_chargeable_roles, l.non_chargeable_categories, l.non_chargeable_tasks,
       c.currency, c.sales_price_list_ids, c.cost_price_list_id
from contract_lines l join contracts c on c.id = l.contract_id
where l.project = any($1::text[]) and l.kind = 'project' and c.status = 'active'
order by l.id
"""
SEEN = """
select entry_id, revision, state, content_hash, content, project from entries
where entry_id = any($1::uuid[]) order by 1 for update
"""


async def lines_of(session: AsyncSession, projects: Collection[str]) -> dict[str, list[Line]]:
    """Lines of active contracts, by project."""
    found: dict[str, list[Line]] = defaultdict(list)
    for row in await fetch(session, LINES, list(projects)):
        line = Line(
            id=row["id"], contract_id=row["contract_id"], project=row["project"],
            tasks=frozenset(row["tasks"]) if row["tasks"] is not None else None,
            includes=frozenset(row["includes"]), valid_from=row["valid_from"], valid_to=row["valid_to"],
            currency=row["currency"], sales_list_ids=tuple(row["sales_price_list_ids"]),
            cost_list_id=row["cost_price_list_id"], billing_method=row["billing_method"],
            non_chargeable_roles=frozenset(row["non_chargeable_roles"]),
            non_chargeable_categories=frozenset(row["non_chargeable_categories"]),
            non_chargeable_tasks=frozenset(row["non_chargeable_tasks"]),
        )  # fmt: skip
        found[row["project"]].append(line)
    return found
