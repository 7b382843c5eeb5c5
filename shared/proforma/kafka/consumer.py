"""A member of a consumer group."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError
from aiokafka.structs import ConsumerRecord

from proforma.envelope import Position, Record
from proforma.kafka.bounded import STOP_S, bounded
from proforma.kafka.cluster import look
from proforma.kafka.errors import Away
from proforma.kafka.logs import logs_by
from proforma.kafka_access import KafkaAccess
from proforma.partition_log import Log

_START_S = 15
# How soon a topic or a partition is noticed that is made while we run; the default is five minutes.
_METADATA_MS = 30_000


class Consumer:
    """A member of a consumer group whose positions are kept elsewhere: the owner says where to begin.

    Used in `async with`. `on_assigned` is called with this and every new assignment, in the rebalance.
    """

    def __init__(self, access: KafkaAccess, group: str, topics: Sequence[str], *, on_assigned: "OnAssigned") -> None:
        self._access = access
        self._group = group
        self._topics = topics
        self._on_assigned = on_assigned

    async def __aenter__(self) -> Self:
        """Raises KafkaError, OSError or TimeoutError when there is no way in: Refused or Unreachable say why."""
        await look(self._access, self._topics)
        self._consumer = AIOKafkaConsumer(
            **self._access.client(),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=2_000,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=300_000,
            metadata_max_age_ms=_METADATA_MS,
        )
        topics = [self._access.prefix + topic for topic in self._topics]
        self._consumer.subscribe(topics, listener=_Listener(self, self._on_assigned))
        try:
            async with asyncio.timeout(_START_S):
                await self._consumer.start()
        except BaseException:
            await bounded(self._consumer.stop())
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await bounded(self._consumer.stop())

    async def poll(self, timeout_ms: int) -> dict[Position, list[Record]]:
        """What has come, by topic and partition; empty after `timeout_ms` without anything."""
        fetched = await self._consumer.getmany(timeout_ms=timeout_ms)
        return {
            self.position_of(partition): [self._record(record) for record in records]
            for partition, records in fetched.items()
            if records
        }

    async def logs(self, positions: Iterable[Position]) -> Mapping[Position, Log | None]:
        """What Kafka has of these partitions; None where it has no such partition.

        Raises KafkaError, OSError or TimeoutError when it cannot say.
        """
        return await logs_by(self._consumer, self._access, positions)

    async def end_offsets(self, positions: Iterable[Position]) -> dict[Position, int]:
        """The offset behind the last message of each partition, from the broker; raises what `Away` names."""
        partitions = [self._partition(position) for position in positions]
        if not partitions:
            return {}
        async with asyncio.timeout(STOP_S):
            ends = await self._consumer.end_offsets(partitions)
        return {self.position_of(partition): end for partition, end in ends.items()}

    def seek(self, position: Position, offset: int) -> bool:
        """The next poll of this partition begins at `offset`. False: the partition is not ours any more."""
        try:
            self._consumer.seek(self._partition(position), offset)
            self._consumer.resume(self._partition(position))
        except IllegalStateError:
            return False
        return True

    def hold(self, position: Position) -> None:
        """Nothing of this partition comes any more until the next seek."""
        with suppress(IllegalStateError):
            self._consumer.pause(self._partition(position))

    async def commit(self, offsets: dict[Position, int]) -> None:
        """Tells Kafka too, for its tools; ours are in the database, so a failure here changes nothing."""
        wanted = {self._partition(position): offset for position, offset in offsets.items()}
        try:
            async with asyncio.timeout(STOP_S):
                await self._consumer.commit(wanted)
        except (*Away, IllegalStateError):
            return

    def assigned(self) -> set[Position]:
        return {self.position_of(partition) for partition in self._consumer.assignment()}

    def position_of(self, partition: TopicPartition) -> Position:
        return partition.topic.removeprefix(self._access.prefix), partition.partition

    def _partition(self, position: Position) -> TopicPartition:
        return TopicPartition(self._access.prefix + position[0], position[1])

    def _record(self, record: ConsumerRecord[Any, Any]) -> Record:
        return Record(
            record.topic.removeprefix(self._access.prefix),
            record.partition,
            record.offset,
            record.key,
            record.headers,
            record.value,
        )


OnAssigned = Callable[[Consumer, set[Position]], Awaitable[None]]


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships without types
    def __init__(self, consumer: Consumer, on_assigned: OnAssigned) -> None:
        self._consumer = consumer
        self._on_assigned = on_assigned

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Nothing: positions are committed with each batch, there is nothing left to save."""

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        await self._on_assigned(self._consumer, {self._consumer.position_of(partition) for partition in assigned})


@dataclass(frozen=True, slots=True)
class ConsumerFactory:
    """Makes a member of one group."""

    access: KafkaAccess
    group: str
    topics: Sequence[str]

    def __call__(self, on_assigned: OnAssigned) -> Consumer:
        return Consumer(self.access, self.group, self.topics, on_assigned=on_assigned)
