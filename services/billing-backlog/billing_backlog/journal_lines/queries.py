"""Reads of journal lines, and of the terms that they are made under."""

from collections.abc import Collection
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.journal_lines.schemas import JournalLineFilter
from billing_backlog.journal_lines.tables import JournalLine
from proforma.db import fetch
from proforma.errors import NotFound
from proforma.pages import after_id

PAGE = """
select * from journal_lines
where ($1::uuid is null or id > $1) and ($2::uuid is null or contract_id = $2)
  and ($3::uuid is null or contract_line_id = $3) and ($4::text is null or status = $4)
  and ($5::text is null or external_id = $5)
order by id limit $6
"""
TERMS = """
select l.id, l.contract_id, l.project, l.kind, l.billing_method, l.includes, l.valid_from, l.valid_to, c.currency,
       c.status
from contract_lines l join contracts c on c.id = l.contract_id where l.id = any($1::uuid[])
"""


async def get_journal_line(session: AsyncSession, journal_line_id: UUID) -> JournalLine:
    """The journal line as it is now; raises NotFound."""
    found = await session.get(JournalLine, journal_line_id, populate_existing=True)
    if found is None:
        raise NotFound(f"no journal line {journal_line_id}")
    return found


async def page(session: AsyncSession, wanted: JournalLineFilter) -> list[asyncpg.Record]:
    """limit + 1 journal lines, by id."""
    return await fetch(
        session, PAGE, after_id(wanted.after), wanted.contract_id, wanted.contract_line_id, wanted.status,
        wanted.external_id, wanted.limit + 1,
    )  # fmt: skip


async def terms_of(session: AsyncSession, line_ids: Collection[UUID]) -> dict[UUID, asyncpg.Record]:
    """The terms of those of these contract lines that exist."""
    return {row["id"]: row for row in await fetch(session, TERMS, list(set(line_ids)))}
