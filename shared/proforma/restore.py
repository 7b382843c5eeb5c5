"""After a restore: what was said and is not in the database, and an operator's decision about it (design §5.18)."""

import argparse
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma import commands, inbox, known
from proforma.commands import Command
from proforma.context import Context
from proforma.db import execute, fetch, fetch_value
from proforma.errors import Conflict, Invalid
from proforma.handlers import Handlers
from proforma.history import doubt
from proforma.kafka.reader import Reader
from proforma.runtime import Runtime
from proforma.said import Said, Walk
from proforma.worker import Work

# With their own ids where those are free: two databases of one origin that spoke at once have given some ids twice.
REMEMBER = """
insert into outbox (id, event_id, topic, type, key, trace, body, created_at, published, published_at)
overriding system value values ($1, $2, $3, $4, $5, '{}', $6, $7::timestamptz, true, $8) on conflict (id) do nothing
"""
REMEMBER_ANEW = """
insert into outbox (event_id, topic, type, key, trace, body, created_at, published, published_at)
values ($1, $2, $3, $4, '{}', $5, $6::timestamptz, true, $7)
"""
STEP_PAST = """
select count(nextval('outbox_id_seq')) from generate_series(1, $1 - (select last_value from outbox_id_seq))
"""
DECIDE = """
insert into restores (what, origin, events, reason, decided_by, decided_at) values ($1, $2, $3, $4, $5, $6)
"""
_READ_AT_ONCE = 16
"""Records of each partition whose bodies are held at once: a chunk has half a megabyte."""
_IGNORED_AT_ONCE = 5_000


async def list_unknown(reader: Reader, session: AsyncSession, service: str) -> list[Said]:
    """What this service has said and its database does not have, by topic, partition and offset."""
    walk = Walk(reader, service, most=_READ_AT_ONCE)
    found = [one async for one, standing in walk(session) if standing == "unknown"]
    return sorted(found, key=lambda one: (one.record.topic, one.record.partition, one.record.offset))


async def accept(session: AsyncSession, context: Context, runtime: Runtime, own: Handlers, reason: str) -> int:
    """Takes what was said into the outbox as said, so that no id is given twice; returns how many events.

    `own` are the service's handlers of its own events: what it can still know of them, such as numbers that were
    given. Everything in one transaction: an acceptance that ends halfway would hide the rest behind what it has taken.
    Raises Conflict while another database's events are in the way.
    """
    async with Reader(runtime.settings.kafka_access) as reader:
        taken = 0
        # Small windows, newest first: the bodies of a busy fortnight would not fit into memory.
        async for one, standing in Walk(reader, runtime.service, most=_READ_AT_ONCE)(session):
            if standing == "unknown":
                await _remember(session, context, own, one)
                taken += 1
        await _decide(session, context, "accepted", taken, reason)
        why = await doubt(reader, session, runtime.service)
        if why is not None:
            raise Conflict(f"{taken} events could be taken, but {why}")
    await known.mark(session)
    return taken


async def _remember(session: AsyncSession, context: Context, own: Handlers, one: Said) -> None:
    record, now = one.record, context.clock.now()
    key, body = (record.key or b"").decode(), (record.value or b"").decode()
    said_at = datetime.fromisoformat(record.header("ce_time") or now.isoformat())
    rest = (record.topic, record.type, key, body, said_at, now)
    await execute(session, STEP_PAST, one.outbox_id)
    if not await execute(session, REMEMBER, one.outbox_id, one.event_id, *rest):
        await execute(session, REMEMBER_ANEW, one.event_id, *rest)
    if record.topic in own.topics and (handler := own.of(record.type)) is not None:
        await own.apply(session, context, handler, [record])


async def adopt(session: AsyncSession, context: Context, origin: UUID, reason: str) -> None:
    """From now on the events of that database are this service's past; raises Conflict when it is this one."""
    if origin == await fetch_value(session, "select origin from database_identity"):
        raise Conflict("that is this database's own origin")
    await _decide(session, context, "adopted", 0, reason, origin)


async def ignore(session: AsyncSession, context: Context, group: str, ids: Sequence[UUID], reason: str) -> int:
    """Events of another service that never take effect here, as if they had already; returns how many had not."""
    fresh = 0
    for start in range(0, len(ids), _IGNORED_AT_ONCE):
        part = ids[start : start + _IGNORED_AT_ONCE]
        fresh += len(await inbox.first_time(session, group, part, context.clock.now()))
    await _decide(session, context, "ignored", fresh, reason)
    return fresh


async def _decide(
    session: AsyncSession, context: Context, what: str, events: int, reason: str, origin: UUID | None = None
) -> None:
    await execute(session, DECIDE, what, origin, events, reason, context.actor, context.clock.now())


def restore_commands(work: Callable[[Runtime], Work]) -> Sequence[Command]:
    """`restore status | list | ignore | accept | adopt`; `work` knows what the service can learn of its own events."""

    async def run_accept(runtime: Runtime, arguments: argparse.Namespace) -> int:
        own = work(runtime).own
        async with _deciding(runtime) as session:
            taken = await accept(session, commands.acting(runtime, arguments), runtime, own, arguments.reason)
        sys.stdout.write(f"{taken} events are in the outbox as said; the service goes on\n")
        return commands.DONE

    return (
        Command("restore status", "whether the database is as new as its topics", commands.no_arguments, _status),
        Command("restore list", "events that were said and are not in the database", commands.no_arguments, _list),
        Command("restore ignore", "events of another service's list never take effect here", _file_and_reason, _ignore,
                changes=True),
        Command("restore accept", "what was said stays said; the service goes on", _reason, run_accept, changes=True),
        Command("restore adopt", "another database's events are this service's past", _origin_and_reason, _adopt,
                changes=True),
    )  # fmt: skip


@asynccontextmanager
async def _deciding(runtime: Runtime) -> AsyncIterator[AsyncSession]:
    async with runtime.database.transaction() as session:
        # A fortnight of events may be read between two statements, or taken by one.
        await execute(session, "set local idle_in_transaction_session_timeout = 0")
        await execute(session, "set local statement_timeout = 0")
        yield session


async def _status(runtime: Runtime, arguments: argparse.Namespace) -> int:
    async with _deciding(runtime) as session, Reader(runtime.settings.kafka_access) as reader:
        why = await doubt(reader, session, runtime.service)
        decided = await fetch(session, "select what, events, origin, reason, decided_by, decided_at from restores")
        state = {
            "origin": await fetch_value(session, "select origin from database_identity"),
            "works": await known.why_not(session) is None,
            "topics": why or "the database has said all that they hold",
            "decisions": [dict(row) for row in decided],
        }
    commands.show_one(state, arguments)
    return commands.DONE if why is None else commands.REFUSED


async def _list(runtime: Runtime, arguments: argparse.Namespace) -> int:
    async with _deciding(runtime) as session, Reader(runtime.settings.kafka_access) as reader:
        unknown = await list_unknown(reader, session, runtime.service)
    commands.show([_shown(one) for one in unknown], arguments, none="the database has said all that its topics hold")
    return commands.DONE


def _shown(one: Said) -> dict[str, object]:
    record = one.record
    return {
        "event_id": one.event_id,
        "type": record.type,
        "key": (record.key or b"").decode(errors="replace"),
        "time": record.header("ce_time"),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "outbox_id": one.outbox_id,
        "origin": one.origin,
    }


async def _ignore(runtime: Runtime, arguments: argparse.Namespace) -> int:
    try:
        ids = [UUID(row["event_id"]) for row in json.loads(arguments.file.read_text())]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Invalid(f"{arguments.file}: not what `restore list --json` writes: {error}") from error
    async with _deciding(runtime) as session:
        fresh = await ignore(session, commands.acting(runtime, arguments), runtime.group, ids, arguments.reason)
    sys.stdout.write(f"{fresh} of {len(ids)} events will not take effect; the others have, or were ignored before\n")
    return commands.DONE


async def _adopt(runtime: Runtime, arguments: argparse.Namespace) -> int:
    async with _deciding(runtime) as session, Reader(runtime.settings.kafka_access) as reader:
        await adopt(session, commands.acting(runtime, arguments), arguments.origin, arguments.reason)
        why = await doubt(reader, session, runtime.service)
        if why is None:
            await known.mark(session)
    sys.stdout.write(f"adopted; {why or 'the service goes on'}\n")
    return commands.DONE


def _reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", type=_said, required=True, help="why; kept beside the decision")


def _file_and_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="what `restore list --json` of the other service wrote")
    _reason(parser)


def _origin_and_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("origin", type=UUID, help="the other database's id, as `restore status` names it")
    _reason(parser)


def _said(text: str) -> str:
    if not (text.strip() and text.isprintable()):
        raise argparse.ArgumentTypeError("a reason in words")
    return text
