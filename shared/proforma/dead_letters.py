"""Dead letters: messages that could not take effect, kept with their reason until a person replays or drops them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma import inbox
from proforma.context import Context
from proforma.db import execute, fetch, fetch_one
from proforma.envelope import Record
from proforma.errors import BrokenRule, Conflict, Invalid, NotFound
from proforma.failures import is_deterministic
from proforma.handlers import Handlers
from proforma.telemetry import DEAD_LETTERS

KEEP = """
insert into dead_letters (id, consumer, topic, partition, kafka_offset, event_id, event_type, key, headers, value,
                          reason, status, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'waiting', $12)
"""
# Without bodies: a page of a thousand full ones would be a gigabyte.
PAGE = """
select id, topic, partition, kafka_offset, event_id, event_type, key, reason, status, created_at, decided_by,
  decided_at, decision_reason
from dead_letters where ($1::uuid is null or id > $1) and ($2::text is null or status = $2)
order by id limit $3
"""
BY_TOPIC = "select topic, count(*) as n from dead_letters where status = 'waiting' group by topic"
LOCK = "select * from dead_letters where id = $1 for update"
DECIDE = """
update dead_letters set status = $2, decided_by = $3, decided_at = $4, decision_reason = $5, repaired = $6
where id = $1 returning *
"""
_REASON_MAX = 4_000
REPAIRED_MAX = 1_000_000


async def keep(session: AsyncSession, context: Context, consumer: str, record: Record, error: BaseException) -> None:
    """Stores one poisoned message as it came. Called in the transaction that moves the position past it."""
    try:
        event_id: UUID | None = record.event_id()
    except BrokenRule:
        event_id = None
    headers = [[name, None if value is None else value.hex()] for name, value in record.headers]
    await execute(
        session, KEEP, context.ids(), consumer, record.topic, record.partition, record.offset,
        event_id, record.type, _storable(record.key or b""), json.dumps(headers), record.value,
        _storable(f"{type(error).__name__}: {error}".encode(errors="replace"))[:_REASON_MAX], context.clock.now(),
    )  # fmt: skip


def _storable(text: bytes) -> str:
    # PostgreSQL's text takes no NUL; a letter that cannot be stored would stop its partition.
    return text.decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")


async def page(
    session: AsyncSession, after: UUID | None, status: str | None, limit: int
) -> Sequence[Mapping[str, Any]]:
    """Letters without their bodies, oldest first, behind `after`; all of them where `status` is None."""
    return [dict(row) for row in await fetch(session, PAGE, after, status, limit)]


async def show(session: AsyncSession, letter_id: UUID) -> Mapping[str, Any]:
    """One of them with its body and headers; raises NotFound."""
    row = await fetch_one(session, "select * from dead_letters where id = $1", letter_id)
    if row is None:
        raise NotFound(f"no dead letter {letter_id}")
    return dict(row)


def repaired_body(text: str) -> str:
    """A body that a person repaired; raises Invalid for what cannot be kept beside the letter."""
    if len(text) > REPAIRED_MAX or "\x00" in text:
        raise Invalid.field("/body", f"at most {REPAIRED_MAX} characters, none of them NUL")
    return text


async def replay(
    session: AsyncSession, context: Context, handlers: Handlers, letter_id: UUID, repaired: str | None
) -> Mapping[str, Any]:
    """Handles the message again, with `repaired` as its body if given.

    Raises Conflict when it still cannot take effect; then nothing has changed. The event's id goes into the inbox
    with it, so that a copy that arrives again later does nothing.
    """
    letter = await _waiting(session, letter_id)
    record = record_of(letter, repaired)
    try:
        event_id = letter["event_id"] or letter_id
        handler = handlers.of(record.type)
        if handler is None:
            raise BrokenRule(f"no handler for {record.type}")
        if await inbox.first_time(session, letter["consumer"], [event_id], context.clock.now()):
            await handlers.apply(session, context, handler, [record])
    except Conflict:
        raise
    except Exception as error:
        if not is_deterministic(error):
            raise
        raise Conflict(f"still cannot take effect: {error}"[:2000], reason="wrong_state") from error
    return await _decide(session, context, letter_id, "replayed", repaired=repaired)


async def drop(
    session: AsyncSession, context: Context, handlers: Handlers, letter_id: UUID, reason: str
) -> Mapping[str, Any]:
    """Gives the message up and answers for it: what waited for the message is told (design §5.11)."""
    letter = await _waiting(session, letter_id)
    try:
        handler = handlers.of(letter["event_type"])
    except BrokenRule:
        handler = None
    if handler is not None and handler.on_drop is not None:
        await handler.on_drop(session, context, record_of(letter, None))
    return await _decide(session, context, letter_id, "dropped", reason=reason)


def record_of(letter: Mapping[str, Any], repaired: str | None) -> Record:
    """The Kafka record of a dead letter, with the repaired body where there is one."""
    headers = [(name, None if value is None else bytes.fromhex(value)) for name, value in json.loads(letter["headers"])]
    value = letter["value"] if repaired is None else repaired.encode()
    return Record(letter["topic"], letter["partition"], letter["kafka_offset"], letter["key"].encode(), headers, value)


async def measure(session: AsyncSession) -> None:
    """Sets the gauge of what waits for a decision; reads the index of waiting letters only."""
    rows = await fetch(session, BY_TOPIC)
    DEAD_LETTERS.clear()
    for row in rows:
        DEAD_LETTERS.labels(row["topic"]).set(row["n"])


async def _waiting(session: AsyncSession, letter_id: UUID) -> Mapping[str, Any]:
    letter = await fetch_one(session, LOCK, letter_id)
    if letter is None:
        raise NotFound(f"no dead letter {letter_id}")
    if letter["status"] != "waiting":
        raise Conflict(f"the dead letter is {letter['status']} already")
    return dict(letter)


async def _decide(
    session: AsyncSession, context: Context, letter_id: UUID, status: str, *,
    reason: str | None = None, repaired: str | None = None,
) -> Mapping[str, Any]:  # fmt: skip
    (row,) = await fetch(session, DECIDE, letter_id, status, context.actor, context.clock.now(), reason, repaired)
    return dict(row)
