"""The batch consumer: its position is a row in its own database, in the transaction of the effect."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from proforma import dead_letters, inbox
from proforma.context import Context
from proforma.db import Database, execute, fetch, fetch_value
from proforma.envelope import Record
from proforma.failures import is_deterministic, timed_out
from proforma.handlers import Handler, Handlers
from proforma.kafka import Away, Consumer, Position
from proforma.telemetry import CONSUMER_AWAY, MESSAGES, bind_event, bind_trace, logger

LOCK_POSITION = """
insert into consumed (consumer, topic, partition, next_offset) values ($1, $2, $3, $4)
on conflict (consumer, topic, partition) do update set next_offset = consumed.next_offset
returning next_offset
"""
POSITIONS = "select topic, partition, next_offset from consumed where consumer = $1"
ADVANCE = """
update consumed set next_offset = $4, updated_at = $5 where consumer = $1 and topic = $2 and partition = $3
"""

_POLL_MS = 500
_PAUSE_S = (0.2, 0.5, 1.0, 2.0, 5.0)

log = logger()


class Behind(Exception):
    """The database's position is not where this batch was read from; the partition must be read again from there."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class BatchConsumer:
    """One member of a service's consumer group.

    Kafka's own offsets are a second truth that can run ahead of the database (a restore, a commit before a crash)
    or behind it; so the position is read from the database at every assignment and moved only together with the
    effect. Whatever a rebalance or a kill does, a batch takes effect once: the row lock on the position puts two
    members that hold the same partition for a moment one after the other, and the second finds it moved.
    """

    def __init__(
        self,
        database: Database,
        context: Context,
        handlers: Handlers,
        bootstrap: str,
        group: str,
        prefix: str = "",
    ) -> None:
        self._database = database
        self._context = context
        self._handlers = handlers
        self._group = group
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._batch_max = context.limits.consume_messages_max
        self._read_from: dict[Position, int] = {}
        self._assignment = 0
        self.problem: str | None = None
        self.assigned: set[Position] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Consumes until `stop`; the batch in hand is finished first. Whatever goes away is waited for."""
        attempt = 0
        while not stop.is_set():
            consumer = Consumer(self._bootstrap, self._group, self._handlers.topics, self._prefix)
            try:
                await consumer.start(lambda positions: self._assigned(consumer, positions))
                attempt = 0
                await self._consume(consumer, stop)
            except (*Away, ExceptionGroup) as error:
                self.problem = f"Kafka: {type(error).__name__}: {error}"
                log.warning("consumer.interrupted", problem=self.problem)
                await pause(stop, attempt)
                attempt += 1
            finally:
                self.assigned = set()
                await consumer.stop()

    async def handle(self, position: Position, read_from: int, batch: Sequence[Record]) -> None:
        """Applies a batch of one type: in one transaction or, when that fails for good, one message at a time.

        `read_from` is where the partition was read from; raises Behind when the database knows a lower position.
        """
        try:
            async with self._database.transaction() as session:
                await self._apply(session, position, read_from, batch)
        except Behind:
            raise
        except Exception as error:
            if not is_deterministic(error):
                raise
            log.info("consumer.one_by_one", topic=position[0], messages=len(batch), because=str(error)[:500])
            for record in batch:
                await self._handle_alone(position, read_from, record)
                read_from = record.offset + 1

    async def _consume(self, consumer: Consumer, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.assigned = consumer.assigned()
            if not await self._locate(consumer, self.assigned - self._read_from.keys()):
                await pause(stop, 2)
                continue
            assignment = self._assignment
            polled = await consumer.poll(_POLL_MS)
            if assignment != self._assignment:
                # Nobody can tell whether these were read before or after the seek of the new assignment, so they
                # are read again from the database's position.
                self._read_from = {}
                continue
            if self.problem and self.problem.startswith("Kafka"):
                self.problem = None
            done: dict[Position, int] = {}
            for position, records in polled.items():
                await self._partition(consumer, position, records, stop, done)
            if done:
                await consumer.commit(done)

    async def _assigned(self, consumer: Consumer, positions: set[Position]) -> None:
        """Called by the rebalance, while `_consume` may be in the middle of a batch of the assignment before."""
        self._assignment += 1
        self._read_from = {}
        await self._locate(consumer, positions)

    async def _locate(self, consumer: Consumer, positions: set[Position]) -> bool:
        """Seeks to where the database is; False when it is away, then nothing of these may be read yet."""
        if not positions:
            return True
        try:
            async with self._database.transaction() as session:
                rows = await fetch(session, POSITIONS, self._group)
        except Exception as error:
            if is_deterministic(error):
                raise
            self.problem = f"database: {type(error).__name__}: {error}"
            return False
        known = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        for position in positions:
            offset = await consumer.seek(position, known.get(position))
            if offset is not None:
                self._read_from[position] = offset
        return True

    async def _partition(
        self,
        consumer: Consumer,
        position: Position,
        records: Sequence[Record],
        stop: asyncio.Event,
        done: dict[Position, int],
    ) -> None:
        assignment, attempt = self._assignment, 0
        rest = list(records)
        while rest:
            if stop.is_set() or assignment != self._assignment or position not in self._read_from:
                # Unhandled records were taken from the consumer: whoever reads on must seek first.
                self._read_from.pop(position, None)
                return
            batch = first_run(rest, self._batch_max)
            try:
                await self.handle(position, self._read_from[position], batch)
            except Behind as behind:
                log.warning("consumer.behind", topic=position[0], partition=position[1], database=behind.offset)
                self._read_from.pop(position, None)
                return
            except Exception as error:
                if is_deterministic(error):
                    raise
                attempt = await self._wait(position, error, attempt, stop)
                continue
            CONSUMER_AWAY.labels(position[0]).set(0)
            self.problem, attempt, self._batch_max = None, 0, self._context.limits.consume_messages_max
            rest = rest[len(batch) :]
            done[position] = batch[-1].offset + 1
            if assignment == self._assignment:
                self._read_from[position] = done[position]

    async def _wait(self, position: Position, error: Exception, attempt: int, stop: asyncio.Event) -> int:
        if timed_out(error):
            # The same work in smaller steps may fit into the time that the whole did not.
            self._batch_max = max(1, self._batch_max // 2)
        self.problem = f"{position[0]}: {type(error).__name__}: {error}"
        CONSUMER_AWAY.labels(position[0]).set(1)
        log.warning("consumer.waiting", problem=self.problem, attempt=attempt)
        await pause(stop, attempt)
        return attempt + 1

    async def _handle_alone(self, position: Position, read_from: int, record: Record) -> None:
        """One message; a poisoned one becomes a dead letter in the transaction that moves the position past it."""
        try:
            async with self._database.transaction() as session:
                await self._apply(session, position, read_from, [record])
        except Behind:
            raise
        except Exception as error:
            if not is_deterministic(error):
                raise
            async with self._database.transaction() as session:
                if await self._move(session, position, read_from, [record]):
                    await dead_letters.keep(session, self._context, self._group, record, error)
            MESSAGES.labels(record.topic, record.type or "", "dead_letter").inc()
            log.error("consumer.dead_letter", topic=record.topic, offset=record.offset, reason=str(error)[:500])

    async def _apply(self, session: AsyncSession, position: Position, read_from: int, batch: Sequence[Record]) -> None:
        batch = await self._move(session, position, read_from, batch)
        if not batch:
            return
        handler = self._handlers.of(batch[0].type)
        if handler is None:
            MESSAGES.labels(position[0], "unknown", "ignored").inc(len(batch))
            return
        fresh = await self._fresh(session, batch)
        MESSAGES.labels(position[0], handler.event.TYPE, "repeated").inc(len(batch) - len(fresh))
        if fresh:
            await self._traced(session, handler, fresh)
        MESSAGES.labels(position[0], handler.event.TYPE, "handled").inc(len(fresh))

    async def _traced(self, session: AsyncSession, handler: Handler, fresh: Sequence[Record]) -> None:
        with structlog.contextvars.bound_contextvars():
            bind_trace(fresh[0].header("x-request-id"), fresh[0].header("traceparent"))
            bind_event(fresh[0].event_id(), handler.event.TYPE)
            await self._handlers.apply(session, self._context, handler, fresh)

    async def _fresh(self, session: AsyncSession, batch: Sequence[Record]) -> list[Record]:
        by_id: dict[UUID, Record] = {}
        for record in batch:
            by_id.setdefault(record.event_id(), record)
        new = await inbox.first_time(session, self._group, list(by_id), self._context.clock.now())
        return [record for event_id, record in by_id.items() if event_id in new]

    async def _move(
        self, session: AsyncSession, position: Position, read_from: int, batch: Sequence[Record]
    ) -> Sequence[Record]:
        """Locks the position and moves it past the batch; returns the part of the batch that is new."""
        at: int = await fetch_value(session, LOCK_POSITION, self._group, *position, read_from)
        if read_from > at:
            # Read from beyond what the database knows: to go on would step over messages that never took effect.
            raise Behind(at)
        new = [record for record in batch if record.offset >= at]
        if new:
            end = new[-1].offset + 1
            await execute(session, ADVANCE, self._group, *position, end, self._context.clock.now())
        return new


def first_run(records: Sequence[Record], most: int) -> list[Record]:
    """The longest beginning of one event type, `most` at the most: one set-based statement serves a whole run."""
    run: list[Record] = []
    for record in records:
        if len(run) == most or (run and record.type != run[0].type):
            break
        run.append(record)
    return run


async def pause(stop: asyncio.Event, attempt: int) -> None:
    """Waits before try number `attempt` + 1, or until `stop`."""
    try:
        async with asyncio.timeout(_PAUSE_S[min(attempt, len(_PAUSE_S) - 1)]):
            await stop.wait()
    except TimeoutError:
        return
