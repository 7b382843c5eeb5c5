"""The inbox: an event takes effect once, because its id is inserted in the transaction of its effect, first."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import execute, fetch

INSERT = """
insert into inbox (consumer, event_id, received_at)
select $1, e, $3 from unnest($2::uuid[]) e
on conflict do nothing returning event_id
"""
PURGE = """
delete from inbox where (consumer, event_id) in (
  select consumer, event_id from inbox where received_at < $1 limit 5000)
"""


async def first_time(session: AsyncSession, consumer: str, ids: Sequence[UUID], now: datetime) -> set[UUID]:
    """Those of `ids` that this consumer has never handled; they are marked as handled by this transaction.

    Inserted before the effect: two processes with the same event meet at the key, the second one waits and then
    sees that the work is done. To check first and insert later would let both pass.
    """
    rows = await fetch(session, INSERT, consumer, sorted(set(ids)), now)
    return {row["event_id"] for row in rows}


async def purge(session: AsyncSession, now: datetime, keep_days: int) -> int:
    """Deletes up to 5,000 ids older than `keep_days` (longer than any topic keeps its messages)."""
    return await execute(session, PURGE, now - timedelta(days=keep_days))
