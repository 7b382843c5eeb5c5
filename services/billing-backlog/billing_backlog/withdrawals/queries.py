"""Reads of what stands in the ledger of entries and journal lines."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.withdrawals.rules import Standing
from proforma.db import fetch

_STANDING = """
select a.{source} as source_id, a.id, a.type, a.contract_id, i.billing_status as item_status,
       coalesce(k.invoice_id, a.invoice_id) as invoice_id
from actuals a left join items i on i.id = a.id left join claims k on k.id = i.claim_id
where a.{source} = any($1::uuid[]) and a.reverses is null
  and not exists (select from actuals r where r.reverses = a.id)
order by a.id
"""
OF_ENTRIES = _STANDING.format(source="entry_id")
OF_JOURNAL_LINES = _STANDING.format(source="journal_line_id")
DROP_ITEMS = "delete from items where id = any($1::uuid[])"


async def of_entries(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, list[Standing]]:
    """What stands of each entry, in the order of posting; nothing, for an entry without a row."""
    return _by_source(await fetch(session, OF_ENTRIES, list(ids)))


async def of_journal_lines(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, list[Standing]]:
    """What stands of each journal line."""
    return _by_source(await fetch(session, OF_JOURNAL_LINES, list(ids)))


def _by_source(rows: Collection[asyncpg.Record]) -> dict[UUID, list[Standing]]:
    found: dict[UUID, list[Standing]] = defaultdict(list)
    for row in rows:
        source_id, *columns = row.values()
        found[source_id].append(Standing(*columns))
    return found
