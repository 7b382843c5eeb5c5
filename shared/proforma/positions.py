"""What an operator can do about positions and the outbox, each with a reason that is kept.

A consumer stops where its position is not one of the log that Kafka has (`proforma.partition_log`). To set the
position to the log's beginning is harmless: the inbox knows what took effect. What another Kafka never had, its
producer's outbox sends again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from proforma import consumed
from proforma.context import Context
from proforma.db import execute, fetch, fetch_one, fetch_value
from proforma.envelope import Position
from proforma.errors import Conflict, Invalid, NotFound
from proforma.kafka.logs import logs_of
from proforma.outbox import CHANNEL
from proforma.partition_log import Log, LogId, Placed, why_stopped
from proforma.runtime import Runtime

SEND_AGAIN = """
with again as (
  update outbox set published = false, published_at = null where id in (
    select id from outbox
    where published and topic = $1 and id > $2 and id <= $3 and ($4::timestamptz is null or created_at >= $4)
    order by id limit $5)
  returning id)
select count(*) as events, max(id) as last from again
"""
NEWEST = "select coalesce(max(id), 0) from outbox where topic = $1"
KEEP = """
insert into interventions (kind, topic, partition, detail, reason, decided_by, decided_at)
values ($1, $2, $3, $4, $5, $6, $7)
"""
KEPT = """
select kind, topic, partition, detail, reason, decided_by, decided_at from interventions order by id desc limit $1
"""
_AT_ONCE = 5_000

To = int | Literal["earliest"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One partition: the position and the log beside it. `behind`: messages still to be read; None without a log."""

    topic: str
    partition: int
    position: int | None
    log_begins: int | None
    log_ends: int | None
    behind: int | None
    stopped_because: str | None


async def show(runtime: Runtime, topics: Sequence[str]) -> list[Shown]:
    """Every partition of these topics (those that the service's handlers read), as the database and Kafka have it."""
    logs = await logs_of(runtime.settings.kafka_access, topics)
    async with runtime.database.transaction() as session:
        placed = await consumed.read(session, runtime.group)
    return [_shown(at, placed.get(at), logs.get(at)) for at in sorted({*placed, *logs}) if at[0] in topics]


def _shown(position: Position, placed: Placed | None, log: Log | None) -> Shown:
    if log is None:
        because = why_stopped(placed, None) if placed else None
        return Shown(*position, placed.offset if placed else None, None, None, None, because)
    at = placed.offset if placed else log.beginning
    because = why_stopped(placed, log) if placed else None
    behind = None if because else log.end - at
    return Shown(*position, placed.offset if placed else None, log.beginning, log.end, behind, because)


async def set_position(
    runtime: Runtime, context: Context, topic: str, partition: int | None, to: To, reason: str
) -> dict[Position, int]:
    """Sets the position of one partition, or of all (`partition` None), to the log's beginning or to an offset in it.

    Takes effect in running workers within seconds. Positions of partitions that Kafka does not have any more go when
    all are set. Returns where each one goes on; raises NotFound for a topic or partition that Kafka does not have,
    Conflict for an offset that its log does not have, Invalid without a reason.
    """
    _needs(reason)
    logs = await logs_of(runtime.settings.kafka_access, [topic])
    wanted = {at: log for at, log in logs.items() if partition is None or at[1] == partition}
    if not wanted:
        raise NotFound(f"Kafka has no {topic}" if partition is None else f"Kafka has no {topic}/{partition}")
    for at, log in wanted.items():
        if to != "earliest" and not log.beginning <= to <= log.end:
            raise Conflict(f"{at[0]}/{at[1]} has offsets from {log.beginning} to {log.end}: {to} is none of them")
    done: dict[Position, int] = {}
    async with runtime.database.transaction() as session:
        was = await consumed.read(session, runtime.group)
        for at, log in sorted(wanted.items()):
            done[at] = log.beginning if to == "earliest" else to
            now = context.clock.now()
            await consumed.place(session, runtime.group, at, done[at], log.id, now)
            detail = f"from {_words(was.get(at))} to {done[at]} in {_named(log.id)}"
            await _keep(session, context, "position_set", at, detail, reason)
        gone = [at for at in was if at[0] == topic and at not in logs] if partition is None else []
        for at in sorted(gone):
            await consumed.forget(session, runtime.group, at)
            await _keep(session, context, "position_set", at, f"from {_words(was[at])} to none", reason)
    return done


async def send_again(
    runtime: Runtime, context: Context, topic: str, reason: str, *, since_id: int = 1, since: datetime | None = None
) -> int:
    """Lets the relay send what this service has sent to `topic` once more; returns how many events.

    From the outbox's row `since_id` on, or what was written at `since` and later; as far as the outbox still has it
    (`outbox_keep_days`). Consumers that know an event let it pass.
    """
    _needs(reason)
    if topic.partition(".")[0] != runtime.service:
        raise Invalid(f"{topic} is not a topic that {runtime.service} writes")
    async with runtime.database.transaction() as session:
        # What is written from now on is sent anyway; and what is sent again is published again before this ends.
        newest: int = await fetch_value(session, NEWEST, topic)
        detail = f"rows {since_id} to {newest}" + (f", written since {since.isoformat()}" if since else "")
        await _keep(session, context, "sent_again", (topic, None), detail, reason)
    last, events = since_id - 1, 0
    while True:
        async with runtime.database.transaction() as session:
            row = await fetch_one(session, SEND_AGAIN, topic, last, newest, since, _AT_ONCE)
            await execute(session, f"notify {CHANNEL}")
        if row is None or not row["events"]:
            return events
        events, last = events + row["events"], row["last"]


async def kept(session: AsyncSession, limit: int) -> list[dict[str, object]]:
    """What was done by hand and why, newest first."""
    return [dict(row) for row in await fetch(session, KEPT, limit)]


async def _keep(
    session: AsyncSession, context: Context, kind: str, at: tuple[str, int | None], detail: str, reason: str
) -> None:
    await execute(session, KEEP, kind, *at, detail, reason, context.actor, context.clock.now())


def _needs(reason: str) -> None:
    if not reason.strip():
        raise Invalid.field("/reason", "say why: it is kept")


def _words(placed: Placed | None) -> str:
    if placed is None:
        return "none"
    return f"{placed.offset} in {_named(placed.log)}"


def _named(log: LogId | None) -> str:
    return "a log that is not known" if log is None else f"topic {log.topic} of cluster {log.cluster}"
