"""Batches of records into effects: position, inbox, effect and dead letter in the database's own transactions."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma import consumed, dead_letters, inbox, known
from proforma.context import Context
from proforma.db import Database
from proforma.envelope import Position, Record
from proforma.failures import is_deterministic
from proforma.handlers import Handler, Handlers
from proforma.partition_log import Log, LogId, Placed, why_stopped
from proforma.telemetry import MESSAGES, logger
from proforma.tracing import OFF, Tracing, batch_spanned

log = logger()


class Behind(Exception):
    """The database's position is lower than where this batch was read from; the partition must be read from there."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class Elsewhere(Exception):
    """The position in the database is another log's than the one that this batch was read from."""


class Intake:
    """Applies what one consumer group reads.

    The position moves only together with the effect. Whatever a rebalance or a kill does, a batch takes effect once:
    the row lock on the position puts two members that hold the same partition for a moment one after the other, and
    the second finds it moved.
    """

    def __init__(
        self, database: Database, context: Context, handlers: Handlers, group: str, tracing: Tracing = OFF
    ) -> None:
        self._database = database
        self._context = context
        self._handlers = handlers
        self._group = group
        self._tracing = tracing

    async def positions(self) -> dict[Position, Placed]:
        """Where each partition goes on, and in which log."""
        async with self._database.transaction() as session:
            return await consumed.read(session, self._group)

    async def settle(
        self, placed: Mapping[Position, Placed], logs: Mapping[Position, Log | None]
    ) -> dict[Position, Placed]:
        """What may be read of `logs`, with positions as the database has them from now on.

        Partitions that were never read begin where their log begins; a position that cannot be believed comes back
        with the reason why it is stopped.
        """
        found: dict[Position, Placed] = {}
        now = self._context.clock.now()
        async with self._database.transaction() as session:
            for position, log in sorted(logs.items()):
                known = placed.get(position)
                if known is None:
                    if log is not None:
                        await consumed.begin(session, self._group, position, log, now)
                        found[position] = Placed(log.beginning, log.id)
                    continue
                because = why_stopped(known, log)
                if because is not None:
                    await consumed.stop(session, self._group, position, because, now)
                    found[position] = Placed(known.offset, known.log, because)
                elif log is not None:
                    if known.log != log.id or known.stopped_because:
                        await consumed.believe(session, self._group, position, log.id)
                    found[position] = Placed(known.offset, log.id)
        return found

    async def handle(
        self, position: Position, read_from: int, batch: Sequence[Record], log_id: LogId | None = None
    ) -> None:
        """Applies a batch of one type: in one transaction or, when that fails for good, one message at a time.

        `read_from` is where the partition was read from, in the log `log_id`; raises Behind when the database knows a
        lower position, Elsewhere when it knows one of another log, and whatever is away. A poisoned message becomes a
        dead letter, its neighbours take effect.
        """
        try:
            async with self._database.transaction() as session:
                await self._apply(session, position, read_from, batch, log_id)
        except (Behind, Elsewhere):
            raise
        except Exception as error:
            if not is_deterministic(error):
                raise
            log.info("consumer.one_by_one", topic=position[0], messages=len(batch), because=str(error)[:500])
            for record in batch:
                await self._handle_alone(position, read_from, record, log_id)
                read_from = record.offset + 1

    async def _handle_alone(self, position: Position, read_from: int, record: Record, log_id: LogId | None) -> None:
        """One message; a poisoned one becomes a dead letter in the transaction that moves the position past it."""
        try:
            async with self._database.transaction() as session:
                await self._apply(session, position, read_from, [record], log_id)
        except (Behind, Elsewhere):
            raise
        except Exception as error:
            if not is_deterministic(error):
                raise
            async with self._database.transaction() as session:
                if await self._move(session, position, read_from, [record], log_id):
                    await dead_letters.keep(session, self._context, self._group, record, error)
            MESSAGES.labels(record.topic, record.type or "", "dead_letter").inc()
            log.error(
                "consumer.dead_letter", topic=record.topic, partition=record.partition, offset=record.offset,
                event_id=record.header("ce_id"), event_type=record.type, reason=str(error)[:500],
                request_id=record.header("x-request-id"),
            )  # fmt: skip

    async def _apply(
        self, session: AsyncSession, position: Position, read_from: int, batch: Sequence[Record], log_id: LogId | None
    ) -> None:
        batch = await self._move(session, position, read_from, batch, log_id)
        if not batch:
            return
        handler = self._handlers.of(batch[0].type)
        if handler is None:
            MESSAGES.labels(position[0], "unknown", "ignored").inc(len(batch))
            return
        fresh = await self._fresh(session, batch)
        if fresh:
            await self._effect(session, handler, fresh)
        MESSAGES.labels(position[0], handler.event.TYPE, "repeated").inc(len(batch) - len(fresh))
        MESSAGES.labels(position[0], handler.event.TYPE, "handled").inc(len(fresh))

    async def _effect(self, session: AsyncSession, handler: Handler, fresh: Sequence[Record]) -> None:
        first = fresh[0]
        with batch_spanned(self._tracing, self._group, fresh):
            await self._handlers.apply(session, self._context, handler, fresh)
            log.debug("consumer.handled", topic=first.topic, partition=first.partition, offset=first.offset)

    async def _fresh(self, session: AsyncSession, batch: Sequence[Record]) -> list[Record]:
        by_id: dict[UUID, Record] = {}
        for record in batch:
            by_id.setdefault(record.event_id(), record)
        new = await inbox.first_time(session, self._group, list(by_id), self._context.clock.now())
        return [record for event_id, record in by_id.items() if event_id in new]

    async def _move(
        self, session: AsyncSession, position: Position, read_from: int, batch: Sequence[Record], log_id: LogId | None
    ) -> Sequence[Record]:
        """Locks the position and moves it past the batch; returns the part of the batch that is new."""
        await known.require(session)
        now = self._context.clock.now()
        placed = await consumed.lock(session, self._group, position, read_from, now)
        if placed.log is not None and log_id is not None and placed.log.differs(log_id):
            # A member that still reads an old Kafka must not move a position that was set in the new one.
            raise Elsewhere(placed.log.differs(log_id))
        if read_from > placed.offset:
            # Read from beyond what the database knows: to go on would step over messages that never took effect.
            raise Behind(placed.offset)
        new = [record for record in batch if record.offset >= placed.offset]
        if new:
            await consumed.advance(session, self._group, position, new[-1].offset + 1, now)
        return new


def first_run(records: Sequence[Record], most: int) -> list[Record]:
    """The longest beginning of one event type, `most` at the most: one set-based statement serves a whole run."""
    run: list[Record] = []
    for record in records:
        if len(run) == most or (run and record.type != run[0].type):
            break
        run.append(record)
    return run
