"""The table of positions: where a consumer goes on in each partition, and of which log that offset is.

A log is named by its cluster and its topic's id. An offset without them is a number that fits any log: after a
restored, emptied or exchanged Kafka it would step over messages, or wait for ever for offsets that were seen before.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import execute, fetch, fetch_one
from proforma.envelope import Position
from proforma.partition_log import Log, LogId, Placed

READ = """
select topic, partition, next_offset, cluster_id, topic_id, stopped_because from consumed where consumer = $1
"""
BEGIN = """
insert into consumed (consumer, topic, partition, next_offset, cluster_id, topic_id, updated_at)
values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing
"""
BELIEVE = """
update consumed set cluster_id = $4, topic_id = coalesce($5, topic_id), stopped_since = null, stopped_because = null
where consumer = $1 and topic = $2 and partition = $3
"""
STOP = """
update consumed set stopped_because = $4, stopped_since = coalesce(stopped_since, $5)
where consumer = $1 and topic = $2 and partition = $3
"""
PLACE = """
insert into consumed (consumer, topic, partition, next_offset, cluster_id, topic_id, updated_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (consumer, topic, partition) do update set next_offset = excluded.next_offset,
  cluster_id = excluded.cluster_id, topic_id = excluded.topic_id, updated_at = excluded.updated_at,
  stopped_since = null, stopped_because = null
"""
FORGET = "delete from consumed where consumer = $1 and topic = $2 and partition = $3"
LOCK = """
insert into consumed (consumer, topic, partition, next_offset, updated_at) values ($1, $2, $3, $4, $5)
on conflict (consumer, topic, partition) do update set next_offset = consumed.next_offset
returning next_offset, cluster_id, topic_id, stopped_because
"""
ADVANCE = """
update consumed set next_offset = $4, updated_at = $5 where consumer = $1 and topic = $2 and partition = $3
"""


def _placed(row: Mapping[str, object]) -> Placed:
    log = None if row["cluster_id"] is None else LogId(row["cluster_id"], row["topic_id"])  # type: ignore[arg-type]
    return Placed(row["next_offset"], log, row["stopped_because"])  # type: ignore[arg-type]


async def read(session: AsyncSession, consumer: str) -> dict[Position, Placed]:
    """Every position of a consumer."""
    rows = await fetch(session, READ, consumer)
    return {(row["topic"], row["partition"]): _placed(row) for row in rows}


async def begin(session: AsyncSession, consumer: str, position: Position, log: Log, now: datetime) -> None:
    """A partition that was never read is read from the log's beginning; nothing if another member was quicker."""
    await execute(session, BEGIN, consumer, *position, log.beginning, log.id.cluster, log.id.topic, now)


async def believe(session: AsyncSession, consumer: str, position: Position, log: LogId) -> None:
    """The position is one of this log; what had stopped it is over."""
    await execute(session, BELIEVE, consumer, *position, log.cluster, log.topic)


async def stop(session: AsyncSession, consumer: str, position: Position, because: str, now: datetime) -> None:
    """Nothing is read on from here until the position is set; since when is kept from the first time."""
    await execute(session, STOP, consumer, *position, because, now)


async def place(
    session: AsyncSession, consumer: str, position: Position, offset: int, log: LogId, now: datetime
) -> None:
    """Puts the position somewhere else, on an operator's word; what had stopped it is over."""
    await execute(session, PLACE, consumer, *position, offset, log.cluster, log.topic, now)


async def forget(session: AsyncSession, consumer: str, position: Position) -> None:
    """Of a partition that Kafka has not any more."""
    await execute(session, FORGET, consumer, *position)


async def lock(session: AsyncSession, consumer: str, position: Position, read_from: int, now: datetime) -> Placed:
    """Locks the position until the transaction ends, and makes one at `read_from` where there is none."""
    row = await fetch_one(session, LOCK, consumer, *position, read_from, now)
    assert row is not None  # noqa: S101 - the statement writes a row or returns the one that is there
    return _placed(row)


async def advance(session: AsyncSession, consumer: str, position: Position, offset: int, now: datetime) -> None:
    """Moves a locked position."""
    await execute(session, ADVANCE, consumer, *position, offset, now)
