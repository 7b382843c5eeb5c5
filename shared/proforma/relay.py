"""The relay: one active process per database sends the outbox to Kafka, in id order."""

import asyncio
import json
from collections.abc import Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from proforma import known, outbox
from proforma.clock import Clock
from proforma.db import Database, fetch_one
from proforma.failures import is_deterministic
from proforma.kafka.errors import Refused
from proforma.kafka.producer import Producer, ProducerFactory
from proforma.settings import Limits
from proforma.telemetry import OUTBOX_LEADER, OUTBOX_SENT, Trace, logger
from proforma.tracing import OFF, Attributes, Span, Tracing

LOCK = 0x70726F66  # "prof": the advisory lock that makes one relay active
_HEARTBEAT_S = 3
_STATEMENT_S = 8
_FROZEN_S = 9
_PAUSE_S = 1.0
# A broker may lock an account out that tries too often.
_REFUSED_PAUSE_S = 5.0

# A leader says something every three seconds and no statement of it takes longer than eight. Its session's own
# time-outs are not enough: one that freezes between the steps of a statement, or in the middle of reading rows, is
# neither idle nor running for the server, and would hold the lock for ever.
END_FROZEN = """
select count(pg_terminate_backend(pid)) from pg_locks join pg_stat_activity using (pid)
where locktype = 'advisory' and granted and classid = 0 and objid = $1::bigint::oid
  and pg_locks.database = (select oid from pg_database where datname = current_database())
  and clock_timestamp() - state_change > $2
"""
LEADER = """
select application_name as process, host(client_addr) as address, pid, backend_start as connected_at
from pg_locks join pg_stat_activity using (pid)
where locktype = 'advisory' and granted and classid = 0 and objid = $1::bigint::oid
  and pg_locks.database = (select oid from pg_database where datname = current_database())
"""

log = logger()


async def leader(session: AsyncSession) -> Mapping[str, Any] | None:
    """The session of the one relay that sends, as PostgreSQL sees it; None while nobody does."""
    found = await fetch_one(session, LEADER, LOCK)
    return dict(found) if found else None


class Relay:
    """Holds the relay lock on a session of its own and does all its SQL there.

    More than one active relay reorders (SKIP LOCKED relays: 15–38 % out of order), so the lock decides. The others
    watch the leader's session and end it when it has been silent for nine seconds: a frozen process would otherwise
    hold the lock and every event for ever. Because the marks go through the same session, a relay that thaws cannot
    write any more; what it sent twice, inboxes recognise.
    """

    def __init__(
        self,
        database: Database,
        producer_of: ProducerFactory,
        source: str,
        clock: Clock,
        limits: Limits,
        tracing: Tracing = OFF,
    ) -> None:
        self._database = database
        self._producer_of = producer_of
        self._source = source
        self._clock = clock
        self._limits = limits
        self._tracing = tracing
        self.active = False
        self.problem: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: wait for the lock, relay, and begin again after whatever went away."""
        while not stop.is_set():
            pause_s = _PAUSE_S
            try:
                await self._lead(stop)
            except Exception as error:
                if is_deterministic(error):
                    raise
                self._interrupted(error)
                pause_s = _REFUSED_PAUSE_S if isinstance(error, Refused) else _PAUSE_S
            finally:
                self._set_active(False)
            await _wait(stop, pause_s)

    async def _lead(self, stop: asyncio.Event) -> None:
        connection = await self._database.connect(statement_timeout=f"{_STATEMENT_S}s")
        try:
            if not await connection.fetchval("select pg_try_advisory_lock($1)", LOCK):
                if await connection.fetchval(END_FROZEN, LOCK, timedelta(seconds=_FROZEN_S)):
                    log.warning("relay.frozen_one_ended")
                return
            if not await connection.fetchval(known.KNOWN):
                # What it would send first may be ids that Kafka has already, from before a restore.
                self.problem = "waits until the database was compared with its topics"
                return
            self._set_active(True)
            wake = asyncio.Event()
            await connection.add_listener(outbox.CHANNEL, lambda *_: wake.set())
            origin: UUID = await connection.fetchval("select origin from database_identity")
            async with self._producer_of() as producer:
                self.problem = None
                while not stop.is_set():
                    wake.clear()
                    sent = await self._send(connection, producer, origin)
                    if sent == 0:
                        await _wait_either(stop, wake, _HEARTBEAT_S)
        finally:
            # terminate, not close: close() would wait for a server that may be the thing that is away.
            connection.terminate()

    async def _send(self, connection: "asyncpg.Connection[asyncpg.Record]", producer: Producer, origin: UUID) -> int:
        rows = await connection.fetch(outbox.PENDING, self._limits.relay_rows_max, self._limits.relay_bytes_max)
        if not rows:
            return 0
        spans, traces = self._spans(rows)
        # All of the batch or none: to go on after a failed row would let a later event of its key overtake it.
        sending = producer.send_all(
            [
                (row["topic"], row["key"], row["body"], outbox.envelope(row, self._source, origin, trace).headers())
                for row, trace in zip(rows, traces, strict=True)
            ]
        )
        try:
            await _with_heartbeat(connection, sending)
        except BaseException as error:
            for span in spans:
                span.fail(type(error).__qualname__)
            raise
        finally:
            for span in spans:
                span.end()
        await connection.execute(outbox.PUBLISHED, [row["id"] for row in rows], self._clock.now())
        for row in rows:
            OUTBOX_SENT.labels(row["topic"]).inc()
        return len(rows)

    def _spans(self, rows: Sequence[Any]) -> tuple[list[Span], list[Trace]]:
        """A span for each row where they are kept, and the trace that each message carries."""
        traces: list[Trace] = [json.loads(row["trace"]) for row in rows]
        if not self._tracing.on:
            return [], traces
        spans = [
            self._tracing.start("producer", f"send {row['topic']}", trace.get("traceparent"), _attributes(row))
            for row, trace in zip(rows, traces, strict=True)
        ]
        return spans, [
            {**trace, "traceparent": span.traceparent or ""} for span, trace in zip(spans, traces, strict=True)
        ]

    def _interrupted(self, error: Exception) -> None:
        problem = f"{type(error).__name__}: {error}"
        # Tried again every second: one line is enough. The watch has one for a refused login.
        if problem != self.problem and not isinstance(error, Refused):
            log.warning("relay.interrupted", problem=problem)
        self.problem = problem

    def _set_active(self, active: bool) -> None:
        self.active = active
        OUTBOX_LEADER.set(1 if active else 0)


def _attributes(row: Any) -> Attributes:
    return {
        "messaging.system": "kafka",
        "messaging.operation.type": "send",
        "messaging.operation.name": "send",
        "messaging.destination.name": row["topic"],
        "messaging.message.id": str(row["event_id"]),
        "messaging.kafka.message.key": row["key"],
        "proforma.event_type": row["type"],
    }


async def _with_heartbeat(connection: "asyncpg.Connection[asyncpg.Record]", work: Coroutine[Any, Any, None]) -> None:
    """Keeps the session from being idle while `work` waits for a slow broker; ends `work` when the session is lost."""
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({task}, timeout=_HEARTBEAT_S))[0]:
            await connection.execute("select 1")
        await task
    finally:
        task.cancel()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def _wait_either(stop: asyncio.Event, wake: asyncio.Event, seconds: float) -> None:
    waits = {asyncio.ensure_future(stop.wait()), asyncio.ensure_future(wake.wait())}
    _, pending = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in pending:
        wait.cancel()
