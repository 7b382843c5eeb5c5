"""Looking into topics without being a member of any group."""

import asyncio
from collections.abc import Mapping
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from proforma.envelope import Position, Record
from proforma.kafka.bounded import bounded
from proforma.kafka.cluster import look
from proforma.kafka_access import KafkaAccess

_START_S = 15
_READ_S = 20


class Reader:
    """Used in `async with`; what it raises is named by `Away`, here and when it reads."""

    def __init__(self, access: KafkaAccess) -> None:
        self._access = access

    async def __aenter__(self) -> Self:
        await look(self._access)
        self._consumer = AIOKafkaConsumer(**self._access.client(), enable_auto_commit=False)
        try:
            async with asyncio.timeout(_START_S):
                await self._consumer.start()
        except BaseException:
            await bounded(self._consumer.stop())
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await bounded(self._consumer.stop())

    async def extents(self, starting: str) -> dict[Position, tuple[int, int]]:
        """The first and the next offset of every partition of the topics whose names start so."""
        start = self._access.prefix + starting
        async with asyncio.timeout(_START_S):
            cluster = await self._consumer._client.fetch_all_metadata()
            names = [name for name in cluster.topics() if name.startswith(start)]
            every = [TopicPartition(name, number) for name in names for number in cluster.partitions_for_topic(name)]
            self._consumer.assign(every)
            begins, ends = await self._consumer.beginning_offsets(every), await self._consumer.end_offsets(every)
        return {self._position(at): (begins[at], ends[at]) for at in every}

    async def read(self, ranges: Mapping[Position, tuple[int, int]]) -> list[Record]:
        """The records from each first offset up to before the second; those of one partition in order."""
        prefix = self._access.prefix
        ends = {TopicPartition(prefix + p[0], p[1]): end for p, (begin, end) in ranges.items() if begin < end}
        self._consumer.assign(list(ends))
        for at in ends:
            self._consumer.seek(at, ranges[self._position(at)][0])
        found: list[Record] = []
        async with asyncio.timeout(_READ_S):
            while ends:
                for at, records in (await self._consumer.getmany(*ends, timeout_ms=200)).items():
                    topic, partition = self._position(at)
                    found += [
                        Record(topic, partition, one.offset, one.key, one.headers, one.value)
                        for one in records
                        if one.offset < ends[at]
                    ]
                # By position: what a transaction's marker takes of the log is no record.
                ends = {at: end for at, end in ends.items() if await self._consumer.position(at) < end}
        return found

    def _position(self, at: TopicPartition) -> Position:
        return at.topic.removeprefix(self._access.prefix), at.partition
