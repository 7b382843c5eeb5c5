"""Kafka, behind a few small classes: the only module that imports aiokafka."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import IllegalStateError, KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.structs import ConsumerRecord

from proforma.envelope import Position, Record
from proforma.topics import Topic

_START_S = 15
_SEND_S = 20
_STOP_S = 5

Away = (KafkaError, OSError, TimeoutError)
"""What to catch when the broker may be the thing that is gone."""


class Producer:
    """An idempotent producer of one connection's life: used in `async with`, thrown away when anything fails."""

    def __init__(self, bootstrap: str, prefix: str = "") -> None:
        self._prefix = prefix
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            enable_idempotence=True,
            max_batch_size=1_000_000,
            max_request_size=1_048_576,
            linger_ms=0,
            compression_type=None,
            request_timeout_ms=10_000,
        )

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(_START_S):
                await self._producer.start()
        except BaseException as error:
            await _bounded(self._producer.stop(), _STOP_S)
            if isinstance(error, KafkaError):
                raise ConnectionError(f"Kafka does not answer: {error!r}") from error
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # stop() can wait for ever on a broker that is gone (aiokafka 773, 1101).
        await _bounded(self._producer.stop(), _STOP_S)

    async def send_all(self, messages: Iterable[tuple[str, str, str, Sequence[tuple[str, bytes]]]]) -> None:
        """Sends (topic, key, body, headers) in order and waits for every acknowledgement.

        Raises OSError or TimeoutError when not all were acknowledged in time: an idempotent producer never
        gives up by itself (aiokafka 1101), and the caller's rows would wait unseen.
        """
        try:
            async with asyncio.timeout(_SEND_S):
                sent = [
                    await self._producer.send(
                        self._prefix + topic, value=body.encode(), key=key.encode(), headers=headers
                    )
                    for topic, key, body, headers in messages
                ]
                await asyncio.gather(*sent)
        except KafkaError as error:
            raise ConnectionError(f"Kafka did not take the messages: {error!r}") from error


class Consumer:
    """A member of a consumer group whose positions are kept elsewhere: the owner says where to begin.

    Used in `async with`. `on_assigned` is called with this and every new assignment, in the rebalance.
    """

    def __init__(
        self, bootstrap: str, group: str, topics: Sequence[str], prefix: str, *, on_assigned: "OnAssigned"
    ) -> None:
        self._prefix = prefix
        self._topics = [prefix + topic for topic in topics]
        self._listener = _Listener(self, on_assigned)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=2_000,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=300_000,
            # How soon a topic or a partition is noticed that is made while we run; the default is five minutes.
            metadata_max_age_ms=30_000,
        )

    async def __aenter__(self) -> Self:
        self._consumer.subscribe(self._topics, listener=self._listener)
        try:
            async with asyncio.timeout(_START_S):
                await self._consumer.start()
        except BaseException:
            await _bounded(self._consumer.stop(), _STOP_S)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # stop() can wait for ever on a broker that is gone (aiokafka 773, 1101).
        await _bounded(self._consumer.stop(), _STOP_S)

    async def poll(self, timeout_ms: int) -> dict[Position, list[Record]]:
        """What has come, by topic and partition; empty after `timeout_ms` without anything."""
        fetched = await self._consumer.getmany(timeout_ms=timeout_ms)
        return {
            self.position_of(partition): [self._record(record) for record in records]
            for partition, records in fetched.items()
            if records
        }

    async def seek(self, position: Position, offset: int | None) -> int | None:
        """The next poll of this partition begins at `offset` (None: the log's beginning).

        Returns the offset; None when the partition is not ours any more.
        """
        partition = TopicPartition(self._prefix + position[0], position[1])
        try:
            if offset is None:
                beginnings = await self._consumer.beginning_offsets([partition])
                offset = beginnings[partition]
            self._consumer.seek(partition, offset)
        except IllegalStateError:
            return None
        return offset

    async def end_offsets(self, positions: Iterable[Position]) -> dict[Position, int]:
        """The offset behind the last message of each partition, from the broker; raises what `Away` names."""
        partitions = [TopicPartition(self._prefix + topic, number) for topic, number in positions]
        if not partitions:
            return {}
        async with asyncio.timeout(_STOP_S):
            ends = await self._consumer.end_offsets(partitions)
        return {self.position_of(partition): end for partition, end in ends.items()}

    async def commit(self, offsets: dict[Position, int]) -> None:
        """Tells Kafka too, for its tools; ours are in the database, so a failure here changes nothing."""
        wanted = {TopicPartition(self._prefix + p[0], p[1]): offset for p, offset in offsets.items()}
        try:
            async with asyncio.timeout(_STOP_S):
                await self._consumer.commit(wanted)
        except (*Away, IllegalStateError):
            return

    def assigned(self) -> set[Position]:
        return {self.position_of(partition) for partition in self._consumer.assignment()}

    def position_of(self, partition: TopicPartition) -> Position:
        return partition.topic.removeprefix(self._prefix), partition.partition

    def _record(self, record: ConsumerRecord[Any, Any]) -> Record:
        return Record(
            record.topic.removeprefix(self._prefix),
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
class ProducerFactory:
    """Makes a fresh producer; an idempotent one that lost its broker must be thrown away, not reused."""

    bootstrap: str
    prefix: str = ""

    def __call__(self) -> Producer:
        return Producer(self.bootstrap, self.prefix)


@dataclass(frozen=True, slots=True)
class ConsumerFactory:
    """Makes a member of one group."""

    bootstrap: str
    group: str
    topics: Sequence[str]
    prefix: str = ""

    def __call__(self, on_assigned: OnAssigned) -> Consumer:
        return Consumer(self.bootstrap, self.group, self.topics, self.prefix, on_assigned=on_assigned)


async def create_topics(bootstrap: str, topics: Sequence[Topic], prefix: str = "", replication: int = 1) -> list[str]:
    """Makes the topics that are missing; returns their names. Existing ones are left as they are.

    Raises KafkaError when the broker refuses one, and OSError or TimeoutError when it is away.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        async with asyncio.timeout(_START_S):
            await admin.start()
        there = set(await admin.list_topics())
        missing = [
            NewTopic(prefix + topic.name, topic.partitions, replication, topic_configs=topic.config())
            for topic in topics
            if prefix + topic.name not in there
        ]
        if not missing:
            return []
        answer = await admin.create_topics(missing)
        return [name for name, code, *rest in answer.topic_errors if _made(name, code, rest)]
    finally:
        await _bounded(admin.close(), _STOP_S)


def _made(name: str, code: int, rest: Sequence[object]) -> bool:
    """False for a topic that another process made meanwhile; aiokafka leaves the broker's refusals unraised."""
    if code == TopicAlreadyExistsError.errno:
        return False
    if code:
        raise for_code(code)(f"{name}: {rest}")
    return True


async def check(bootstrap: str) -> None:
    """Raises when no broker answers within two seconds."""
    host, _, port = bootstrap.split(",", maxsplit=1)[0].rpartition(":")
    async with asyncio.timeout(2):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()


async def _bounded(work: Awaitable[object], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await work
    except Away:
        return
