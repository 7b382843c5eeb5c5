"""Events in and out of a service without Kafka, through the same code that Kafka's records take."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from proforma.db import fetch, fetch_value
from proforma.envelope import Envelope, Event, Record
from proforma.handlers import Handlers
from proforma.intake import Intake, first_run
from proforma.runtime import Runtime

_NEXT = "select coalesce(max(next_offset), 0) from consumed where consumer = $1 and topic = $2 and partition = 0"


class Sent(NamedTuple):
    """An event as it lies in the outbox."""

    type: str
    key: str
    body: dict[str, Any]


class DeadLettered(AssertionError):
    """What was delivered became a dead letter; `reasons` says why, one by one."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = list(reasons)


async def outbox_of(runtime: Runtime) -> list[Sent]:
    """All events that the service has emitted, in order."""
    async with runtime.database.transaction() as session:
        rows = await fetch(session, "select type, key, body from outbox order by id")
    return [Sent(row["type"], row["key"], json.loads(row["body"])) for row in rows]


def record_of(event: Event, event_id: UUID | None = None, partition: int = 0, offset: int = 0) -> Record:
    """The Kafka record of an event; the same record delivered twice is a duplicate."""
    out = event.outgoing()
    producer = out.type.split(".")[1]
    # What the probe reads comes from somebody else: its own topic holding what it never said is a restored database.
    source = "/elsewhere" if producer == "probe" else f"/{producer}"
    envelope = Envelope(
        id=event_id or uuid.uuid4(),
        source=source,
        type=out.type,
        subject=out.key,
        time=datetime(2026, 3, 2, 9, tzinfo=UTC),
        outbox_id=1,
        outbox_origin=UUID(int=1),
        trace={},
    )
    return Record(out.topic, partition, offset, out.key.encode(), envelope.headers(), out.body.encode())


async def deliver(runtime: Runtime, handlers: Handlers, *events: Event | Record) -> None:
    """Feeds events in this order, as the consumer does: position, inbox and effect in one transaction a batch.

    Raises DeadLettered when one of them could not take effect; the others have.
    """
    intake = Intake(runtime.database, runtime.context(), handlers, runtime.group)
    before = await _dead_letters(runtime)
    records = [event if isinstance(event, Record) else record_of(event) for event in events]
    for topic in dict.fromkeys(record.topic for record in records):
        async with runtime.database.transaction() as session:
            first = await fetch_value(session, _NEXT, runtime.group, topic)
        mine = [record for record in records if record.topic == topic]
        placed = [replace(record, partition=0, offset=first + n) for n, record in enumerate(mine)]
        while placed:
            batch = first_run(placed, runtime.settings.limits.consume_messages_max)
            await intake.handle((topic, 0), batch[0].offset, batch)
            placed = placed[len(batch) :]
    dead = [reason for letter, reason in (await _dead_letters(runtime)).items() if letter not in before]
    if dead:
        raise DeadLettered(dead)


async def _dead_letters(runtime: Runtime) -> dict[UUID, str]:
    async with runtime.database.transaction() as session:
        rows = await fetch(session, "select id, reason from dead_letters order by id")
    return {row["id"]: row["reason"] for row in rows}
