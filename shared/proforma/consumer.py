"""The batch consumer: a member of the service's group that reads from the positions in its own database."""

import asyncio
from collections.abc import Iterable, Sequence

from proforma.envelope import Position, Record
from proforma.failures import is_deterministic, timed_out
from proforma.intake import Behind, Elsewhere, Intake, first_run
from proforma.kafka.consumer import Consumer, ConsumerFactory
from proforma.kafka.errors import Away, Refused
from proforma.partition_log import LogId, Placed
from proforma.telemetry import CONSUMER_AWAY, CONSUMER_LAG, CONSUMER_STOPPED, logger

_POLL_MS = 500
_JOINING_MS = 100
_EXAMINE_S = 30
_EXAMINE_STOPPED_S = 5
_NAMED = 5
_PAUSE_S = (0.2, 0.5, 1.0, 2.0, 5.0)

log = logger()


class BatchConsumer:
    """One member of a service's consumer group.

    Kafka's own offsets are a second truth that can run ahead of the database (a restore, a commit before a crash)
    or behind it; so the position is read from the database at every assignment, and believed only where the log is
    the one that it was taken in and still has it. A partition where it is not is stopped, in sight, and asked again
    every few seconds, until somebody sets its position; the others go on.
    """

    def __init__(self, intake: Intake, consumer_of: ConsumerFactory, batch_max: int) -> None:
        self._intake = intake
        self._consumer_of = consumer_of
        self._most = self._batch_max = batch_max
        self._read_from: dict[Position, int] = {}
        self._log_ids: dict[Position, LogId | None] = {}
        self._stopped: dict[Position, str] = {}
        self._examine_at = 0.0
        self._assignment = 0
        self._consumer: Consumer | None = None
        self.problem: str | None = None
        self.assigned: set[Position] = set()

    @property
    def stopped(self) -> str | None:
        """Which partitions are not read, and why; None when all are."""
        named = [f"{topic}/{number}: {because}" for (topic, number), because in sorted(self._stopped.items())]
        more = f"; and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        return "; ".join(named[:_NAMED]) + more if named else None

    async def run(self, stop: asyncio.Event) -> None:
        """Consumes until `stop`; the batch in hand is finished first. Whatever goes away is waited for."""
        attempt = 0
        while not stop.is_set():
            try:
                async with self._consumer_of(self._assigned) as consumer:
                    attempt, self._consumer = 0, consumer
                    await self._consume(consumer, stop)
            except Away as error:
                self._say("consumer.interrupted", "Kafka", error)
                await pause(stop, attempt)
                attempt += 1
            finally:
                self.assigned, self._consumer = set(), None
                CONSUMER_LAG.clear()
                self._forget()

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

    def _say(self, event: str, what: str, error: BaseException) -> None:
        """Tried again every few seconds: one line is enough. The watch has one for a login that is refused."""
        problem = f"{what}: {type(error).__name__}: {error}"
        if problem != self.problem and not isinstance(error, Refused):
            log.warning(event, problem=problem)
        self.problem = problem

    async def _consume(self, consumer: Consumer, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.assigned = consumer.assigned()
            if not await self._place(consumer):
                await pause(stop, attempt=1)
                continue
            assignment = self._assignment
            # A join ends in the middle of a poll, with nothing that would wake it.
            polled = await consumer.poll(_POLL_MS if self._read_from else _JOINING_MS)
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
        self._forget()
        # Nothing comes before it has been asked where to begin; not asked here, where it would hold up the group.
        for position in positions:
            consumer.hold(position)

    def _forget(self) -> None:
        for topic, number in self._stopped:
            CONSUMER_STOPPED.labels(topic, str(number)).set(0)
        self._read_from, self._log_ids, self._stopped = {}, {}, {}

    async def _place(self, consumer: Consumer) -> bool:
        """Asks where to begin wherever that is not known, and everywhere now and then: logs can be exchanged."""
        unknown = self.assigned - self._read_from.keys() - self._stopped.keys()
        now = asyncio.get_running_loop().time()
        due = now >= self._examine_at
        located = await self._locate(consumer, self.assigned if due else unknown)
        soon = now + (_EXAMINE_STOPPED_S if self._stopped else _EXAMINE_S)
        self._examine_at = soon if due else min(self._examine_at, soon)
        return located or not unknown

    async def _locate(self, consumer: Consumer, positions: Iterable[Position]) -> bool:
        """Seeks to where the database is. False: it or Kafka is away, and nothing new of these may be read yet."""
        wanted = list(positions)
        if not wanted:
            return True
        asking = "database"
        try:
            # In this order: a position that moves in between only moves towards the end that is read after it.
            placed = await self._intake.positions()
            asking = "Kafka"
            logs = await consumer.logs(wanted)
            asking = "database"
            settled = await self._intake.settle(placed, logs)
        except Exception as error:
            if not isinstance(error, Away) and is_deterministic(error):
                raise
            self._say("consumer.waiting", asking, error)
            return False
        for position, place in settled.items():
            self._settle(consumer, position, place)
        return True

    def _settle(self, consumer: Consumer, position: Position, place: Placed) -> None:
        was = self._stopped.pop(position, None)
        if place.stopped_because is not None:
            consumer.hold(position)
            self._read_from.pop(position, None)
            self._stopped[position] = place.stopped_because
        elif self._read_from.get(position) != place.offset and consumer.seek(position, place.offset):
            self._read_from[position] = place.offset
        self._log_ids[position] = place.log
        if was != place.stopped_because:
            topic, number = position
            CONSUMER_STOPPED.labels(topic, str(number)).set(0 if place.stopped_because is None else 1)
            if place.stopped_because is None:
                log.info("consumer.resumed", topic=topic, partition=number, offset=place.offset)
            else:
                log.error("consumer.stopped", topic=topic, partition=number, problem=place.stopped_because)

    async def _partition(
        self, position: Position, records: Sequence[Record], assignment: int, stop: asyncio.Event
    ) -> Sequence[Record]:
        """Applies the records of one partition; returns those that were not."""
        rest, attempt = records, 0
        if rest[0].offset < self._read_from.get(position, 0):
            # Nobody sought back: the log has no such offset any more, and the client began at its beginning.
            return rest
        # After a rebalance nobody can tell whether the records were read before or after its seek, so they are
        # left, and read again from the database's position.
        while rest and not stop.is_set() and assignment == self._assignment and position in self._read_from:
            batch = first_run(rest, self._batch_max)
            try:
                await self._intake.handle(position, self._read_from[position], batch, self._log_ids.get(position))
            except Behind as behind:
                log.warning("consumer.behind", topic=position[0], partition=position[1], database=behind.offset)
                return rest
            except Elsewhere as elsewhere:
                log.warning("consumer.elsewhere", topic=position[0], partition=position[1], problem=str(elsewhere))
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
