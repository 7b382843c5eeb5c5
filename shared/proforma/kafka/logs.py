"""What Kafka has of partitions: which log each one is, where it begins and where it ends."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from proforma.envelope import Position
from proforma.kafka.bounded import bounded
from proforma.kafka.cluster import look
from proforma.kafka_access import KafkaAccess
from proforma.partition_log import Log, LogId

_LOGS_S = 10


async def logs_by(
    client: AIOKafkaConsumer, access: KafkaAccess, positions: Iterable[Position]
) -> Mapping[Position, Log | None]:
    """The logs of these partitions, asked through a client that runs; None where Kafka has no such partition.

    Raises KafkaError, OSError or TimeoutError when it cannot say.
    """
    wanted = set(positions)
    found: dict[Position, Log | None] = dict.fromkeys(wanted)
    async with asyncio.timeout(_LOGS_S):
        cluster = await look(access, sorted({topic for topic, _ in wanted}))
        there = {
            TopicPartition(access.prefix + topic, number): (topic, number)
            for topic, number in wanted
            # A client that is asked for a partition that is not there asks for it until the end of its patience.
            if topic in cluster.topics and number < cluster.topics[topic].partitions
        }
        beginnings = await client.beginning_offsets(list(there))
        ends = await client.end_offsets(list(there))
    for partition, position in there.items():
        log_id = LogId(cluster.id, cluster.topics[position[0]].id)
        found[position] = Log(log_id, beginnings[partition], ends[partition])
    return found


async def logs_of(access: KafkaAccess, topics: Sequence[str]) -> dict[Position, Log]:
    """The logs of every partition of these topics, for who is a member of no group; raises as `logs_by` does."""
    cluster = await look(access, topics)
    every = [(name, number) for name, topic in cluster.topics.items() for number in range(topic.partitions)]
    client = AIOKafkaConsumer(**access.client(), enable_auto_commit=False)
    try:
        async with asyncio.timeout(_LOGS_S):
            await client.start()
        logs = await logs_by(client, access, every)
    finally:
        await bounded(client.stop())
    return {position: log for position, log in logs.items() if log is not None}
