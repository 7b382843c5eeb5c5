"""The relay: one active process per database sends the outbox to Kafka, in id order."""

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from proforma import outbox
from proforma.db import Database
from proforma.kafka import Producer
from proforma.telemetry import OUTBOX_LEADER, OUTBOX_SENT, logger

if TYPE_CHECKING:
    from proforma.clock import Clock

_LOCK = 0x70726F66  # "prof": the advisory lock that makes one relay active
_HEARTBEAT_S = 3
_IDLE_LIMIT_S = 10
_PAUSE_S = 1.0

log = logger()


class Relay:
    """Holds the relay lock on a session of its own and does all its SQL there.

    More than one active relay reorders (SKIP LOCKED relays: 15–38 % out of order), so the lock decides. The session
    ends itself after ten idle seconds: a frozen process would otherwise hold the lock and every event for ever; another
    relay takes over within 15 s. Because the marks go through the same session, a relay that thaws cannot write any
    more; what it sent twice, inboxes recognise.
    """

    def __init__(
        self, database: Database, producer_of: "ProducerFactory", source: str, clock: "Clock", rows_max: int
    ) -> None:
        self._database = database
        self._producer_of = producer_of
        self._source = source
        self._clock = clock
        self._rows_max = rows_max
        self.active = False
        self.problem: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: wait for the lock, relay, and begin again after whatever went away."""
        while not stop.is_set():
            try:
                await self._lead(stop)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self.problem = f"{type(error).__name__}: {error}"
                log.warning("relay.interrupted", problem=self.problem)
            finally:
                self._set_active(False)
            await _wait(stop, _PAUSE_S)

    async def _lead(self, stop: asyncio.Event) -> None:
        connection = await self._database.connect(idle_session_timeout=f"{_IDLE_LIMIT_S}s", statement_timeout="10s")
        try:
            if not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
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
        rows = await connection.fetch(outbox.PENDING, self._rows_max)
        if not rows:
            return 0
        # All of the batch or none: to go on after a failed row would let a later event of its key overtake it.
        await producer.send_all(
            [
                (row["topic"], row["key"], row["body"], outbox.envelope(row, self._source, origin).headers())
                for row in rows
            ]
        )
        await connection.execute(outbox.PUBLISHED, [row["id"] for row in rows], self._clock.now())
        for row in rows:
            OUTBOX_SENT.labels(row["topic"]).inc()
        return len(rows)

    def _set_active(self, active: bool) -> None:
        self.active = active
        OUTBOX_LEADER.set(1 if active else 0)


class ProducerFactory:
    """Makes a fresh producer; an idempotent one that lost its broker must be thrown away, not reused."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix

    def __call__(self) -> Producer:
        return Producer(self._bootstrap, self._prefix)


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
