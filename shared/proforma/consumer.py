"""The batch consumer: a member of the service's group that reads from the positions in its own database."""

import asyncio
from collections.abc import Iterable, Sequence

from proforma.envelope import Position, Record
from proforma.failures import is_deterministic, timed_out
from proforma.intake import Behind, Intake, first_run
from proforma.kafka import Away, Consumer, ConsumerFactory
from proforma.telemetry import CONSUMER_AWAY, CONSUMER_LAG, logger

_POLL_MS = 500
_PAUSE_S = (0.2, 0.5, 1.0, 2.0, 5.0)

log = logger()


class BatchConsumer:
    """One member of a service's consumer group.

    Kafka's own offsets are a second truth that can run ahead of the database (a restore, a commit before a crash)
    or behind it; so the position is read from the database at every assignment.
    """

    def __init__(self, intake: Intake, consumer_of: ConsumerFactory, batch_max: int) -> None:
        self._intake = intake
        self._consumer_of = consumer_of
        self._most = self._batch_max = batch_max
        self._read_from: dict[Position, int] = {}
        self._assignment = 0
        self._consumer: Consumer | None = None
        self.problem: str | None = None
        self.assigned: set[Position] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Consumes until `stop`; the batch in hand is finished first. Whatever goes away is waited for."""
        attempt = 0
        while not stop.is_set():
            try:
                async with self._consumer_of(self._assigned) as consumer:
                    attempt, self._consumer = 0, consumer
                    await self._consume(consumer, stop)
            except Away as error:
                self.problem = f"Kafka: {type(error).__name__}: {error}"
                log.warning("consumer.interrupted", problem=self.problem)
                await pause(stop, attempt)
                attempt += 1
            finally:
                self.assigned, self._consumer = set(), None
                CONSUMER_LAG.clear()

    async def measure_lag(self) -> None:
        """Sets the gauge of how far each partition of ours is behind its end; leaves it when Kafka does not answer.

        Asks the broker instead of the last fetch: a consumer that is stuck fetches nothing any more, and its lag is
        what somebody must see.
        """
        if self._consumer is None:
            return
        try:
            ends = await self._consumer.end_offsets(self._read_from.keys() & self.assigned)
        except Away as error:
            log.warning("consumer.lag_unknown", problem=f"{type(error).__name__}: {error}")
            return
        CONSUMER_LAG.clear()
        for position, end in ends.items():
            if position in self._read_from:
                CONSUMER_LAG.labels(*position).set(max(0, end - self._read_from[position]))

    async def _consume(self, consumer: Consumer, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.assigned = consumer.assigned()
            if not await self._locate(consumer, self.assigned - self._read_from.keys()):
                await pause(stop, attempt=1)
                continue
            assignment = self._assignment
            polled = await consumer.poll(_POLL_MS)
            self.problem = None
            done: dict[Position, int] = {}
            for position, records in polled.items():
                rest = await self._partition(position, records, assignment, stop)
                taken = len(records) - len(rest)
                if taken:
                    done[position] = records[taken - 1].offset + 1
                if rest:
                    # These left the consumer and took no effect: whoever reads on must seek first.
                    self._read_from.pop(position, None)
            if done:
                await consumer.commit(done)

    async def _assigned(self, consumer: Consumer, positions: set[Position]) -> None:
        """Called by the rebalance, while `_consume` may be in the middle of a batch of the assignment before."""
        self._assignment += 1
        self._read_from = {}
        await self._locate(consumer, positions)

    async def _locate(self, consumer: Consumer, positions: Iterable[Position]) -> bool:
        """Seeks to where the database is. False: it is away, and nothing of these may be read yet."""
        wanted = list(positions)
        if not wanted:
            return True
        try:
            known = await self._intake.positions()
        except Exception as error:
            if is_deterministic(error):
                raise
            self.problem = f"database: {type(error).__name__}: {error}"
            log.warning("consumer.waiting", problem=self.problem)
            return False
        for position in wanted:
            offset = await consumer.seek(position, known.get(position))
            if offset is not None:
                self._read_from[position] = offset
        return True

    async def _partition(
        self, position: Position, records: Sequence[Record], assignment: int, stop: asyncio.Event
    ) -> Sequence[Record]:
        """Applies the records of one partition; returns those that were not."""
        rest, attempt = records, 0
        # After a rebalance nobody can tell whether the records were read before or after its seek, so they are
        # left, and read again from the database's position.
        while rest and not stop.is_set() and assignment == self._assignment and position in self._read_from:
            batch = first_run(rest, self._batch_max)
            try:
                await self._intake.handle(position, self._read_from[position], batch)
            except Behind as behind:
                log.warning("consumer.behind", topic=position[0], partition=position[1], database=behind.offset)
                return rest
            except Exception as error:
                if is_deterministic(error):
                    raise
                await self._wait(position, error, attempt, stop)
                attempt += 1
                continue
            CONSUMER_AWAY.labels(position[0]).set(0)
            self.problem, attempt, self._batch_max = None, 0, self._most
            rest = rest[len(batch) :]
            if assignment == self._assignment:
                self._read_from[position] = batch[-1].offset + 1
        return rest

    async def _wait(self, position: Position, error: Exception, attempt: int, stop: asyncio.Event) -> None:
        if timed_out(error):
            # The same work in smaller steps may fit into the time that the whole did not.
            self._batch_max = max(1, self._batch_max // 2)
        self.problem = f"{position[0]}: {type(error).__name__}: {error}"
        CONSUMER_AWAY.labels(position[0]).set(1)
        log.warning("consumer.waiting", problem=self.problem, attempt=attempt)
        await pause(stop, attempt)


async def pause(stop: asyncio.Event, attempt: int) -> None:
    """Waits before try number `attempt` + 1, or until `stop`."""
    try:
        async with asyncio.timeout(_PAUSE_S[min(attempt, len(_PAUSE_S) - 1)]):
            await stop.wait()
    except TimeoutError:
        return
