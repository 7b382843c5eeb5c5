"""The broker as somebody else sees it: writes any bytes, reads whole topics."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from proforma.envelope import Event, Record
from tests.support.events import record_of


class Broker:
    """Topics of one test, named without the test's prefix."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix

    async def send(self, *records: Record | Event) -> None:
        """Writes records as they are, to the partition that each one names, in this order."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        try:
            for one in records:
                record = one if isinstance(one, Record) else record_of(one)
                await producer.send_and_wait(
                    self.prefix + record.topic, record.value, record.key, record.partition, headers=record.headers
                )
        finally:
            await producer.stop()

    async def read(self, topic: str) -> list[Record]:
        """Every record of a topic, partition by partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = await self._assign(consumer, topic)
            ends = await consumer.end_offsets(partitions)
            found: list[Record] = []
            for partition in partitions:
                consumer.assign([partition])
                consumer.seek(partition, 0)
                while await consumer.position(partition) < ends[partition]:
                    for one in (await consumer.getmany(partition, timeout_ms=500)).get(partition, []):
                        found.append(Record(topic, one.partition, one.offset, one.key, one.headers, one.value))
            return found
        finally:
            await consumer.stop()

    async def commit(self, group: str, topic: str, offset: int) -> None:
        """Commits an offset for every partition, as Kafka's own tools do."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = await self._assign(consumer, topic)
            await consumer.commit({partition: OffsetAndMetadata(offset, "") for partition in partitions})
        finally:
            await consumer.stop()

    async def committed(self, group: str, topic: str) -> dict[int, int | None]:
        """What Kafka has as the group's offsets, by partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = await self._assign(consumer, topic)
            return {partition.partition: await consumer.committed(partition) for partition in partitions}
        finally:
            await consumer.stop()

    async def _assign(self, consumer: AIOKafkaConsumer, topic: str) -> Sequence[TopicPartition]:
        # The client hears of a new topic with its next metadata only.
        async with asyncio.timeout(15):
            while not (numbers := consumer.partitions_for_topic(self.prefix + topic)):
                await consumer._client.force_metadata_update()
                consumer._client.add_topic(self.prefix + topic)
                await asyncio.sleep(0.05)
        partitions = [TopicPartition(self.prefix + topic, number) for number in sorted(numbers)]
        consumer.assign(partitions)
        return partitions
