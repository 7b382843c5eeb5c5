"""Reads of milestones, with where their billing stands."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.agreed_items.queries import BILLED, REASONS, STATUS
from billing_backlog.milestones.rules import still_open
from billing_backlog.milestones.schemas import MilestoneOut, MilestoneQuery
from billing_backlog.milestones.tables import Milestone
from proforma.db import fetch
from proforma.errors import NotFound
from proforma.pages import after_id

_SHOWN = f"""
select m.*, c.currency, {STATUS} as billing_status, {REASONS} as reasons, coalesce(b.amount, 0) as billed,
       coalesce(k.invoice_id, b.invoice_id) as invoice_id
from milestones m
join contract_lines l on l.id = m.contract_line_id
join contracts c on c.id = m.contract_id
left join items i on i.id = m.id
left join claims k on k.id = i.claim_id
{BILLED.format(id="m.id")}
where $1::timestamptz is not null
"""
PAGE = f"""
{_SHOWN} and ($2::uuid is null or m.id > $2) and ($3::uuid is null or m.contract_id = $3)
  and ($4::uuid is null or m.contract_line_id = $4) and ($5::text is null or {STATUS} = $5)
  and ($6::date is null or m.date >= $6) and ($7::date is null or m.date <= $7)
  and ($8::text is null or m.external_id = $8) and ($9::text is null or l.project = $9)
  and ($10::text is null or $10 = any({REASONS}))
order by m.id limit $11
"""
SHOWN = f"{_SHOWN} and m.id = any($2::uuid[])"
LINES = """
select l.id, l.contract_id, l.billing_method, c.currency, c.status
from contract_lines l join contracts c on c.id = l.contract_id where l.id = any($1::uuid[])
"""
COUNTS = """
select contract_line_id, count(*)::int as n from milestones where contract_line_id = any($1::uuid[]) group by 1
"""


async def get_milestone(session: AsyncSession, milestone_id: UUID) -> Milestone:
    """The milestone as it is now; raises NotFound."""
    found = await session.get(Milestone, milestone_id, populate_existing=True)
    if found is None:
        raise NotFound(f"no milestone {milestone_id}")
    return found


async def page(session: AsyncSession, now: datetime, wanted: MilestoneQuery) -> list[MilestoneOut]:
    """limit + 1 milestones, by id."""
    rows = await fetch(
        session, PAGE, now, after_id(wanted.after), wanted.contract_id, wanted.contract_line_id, wanted.billing_status,
        wanted.date_from, wanted.date_to, wanted.external_id, wanted.project, wanted.reason, wanted.limit + 1,
    )  # fmt: skip
    return [_out(row) for row in rows]


async def shown(session: AsyncSession, now: datetime, ids: Sequence[UUID]) -> list[MilestoneOut]:
    """Milestones as the API shows them, in the order of `ids`; those that exist."""
    found = {row["id"]: _out(row) for row in await fetch(session, SHOWN, now, list(ids))}
    return [found[one] for one in ids if one in found]


async def lines_of(session: AsyncSession, line_ids: Collection[UUID]) -> dict[UUID, asyncpg.Record]:
    """Those of the lines that exist, each with its contract, currency and status."""
    return {row["id"]: row for row in await fetch(session, LINES, list(line_ids))}


async def counts(session: AsyncSession, line_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many milestones each line has; lines without any are missing."""
    return {row["contract_line_id"]: row["n"] for row in await fetch(session, COUNTS, list(line_ids))}


def _out(row: Mapping[str, Any]) -> MilestoneOut:
    billed: Decimal = row["billed"]
    return MilestoneOut.model_validate({**row, "open": still_open(row["billing_status"], row["amount"], billed)})
