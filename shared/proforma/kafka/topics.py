"""Making topics, and giving them more partitions."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from proforma.kafka.bounded import bounded
from proforma.kafka.cluster import look
from proforma.kafka_access import KafkaAccess
from proforma.topics import Topic

_START_S = 15
_LAG_S = 0.1


async def create_topics(access: KafkaAccess, topics: Sequence[Topic], replication: int = 1) -> list[str]:
    """Makes the topics that are missing; returns their names. Existing ones are left as they are.

    Raises KafkaError when the broker refuses one, and OSError or TimeoutError when it is away.
    """
    async with _admin(access) as admin:
        there = set(await admin.list_topics())
        missing = [
            NewTopic(access.prefix + topic.name, topic.partitions, replication, topic_configs=topic.config())
            for topic in topics
            if access.prefix + topic.name not in there
        ]
        if not missing:
            return []
        answer = await admin.create_topics(missing)
        return [name for name, code, *rest in answer.topic_errors if _made(name, code, rest)]


async def grow_topics(access: KafkaAccess, topics: Sequence[Topic]) -> list[str]:
    """Gives every topic that has fewer partitions than it says as many; returns the names of those.

    Partitions cannot be taken away again. Messages of one key may then lie on two of them, which is harmless: nobody
    relies on order across messages. Raises as `create_topics` does, and TimeoutError when a topic is not there.
    """
    names = [topic.name for topic in topics]
    async with asyncio.timeout(_START_S):
        # A broker hears of a topic that was made a moment ago a moment later than the controller that made it.
        while len(there := (await look(access, names)).topics) < len(names):  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(_LAG_S)
    growing = {
        access.prefix + topic.name: NewPartitions(topic.partitions)
        for topic in topics
        if there[topic.name].partitions < topic.partitions
    }
    if growing:
        async with _admin(access) as admin:
            await admin.create_partitions(growing)
    return list(growing)


@asynccontextmanager
async def _admin(access: KafkaAccess) -> AsyncIterator[AIOKafkaAdminClient]:
    # The client itself only says that it could not; the look says why.
    await look(access)
    admin = AIOKafkaAdminClient(**access.client())
    try:
        async with asyncio.timeout(_START_S):
            await admin.start()
        yield admin
    finally:
        await bounded(admin.close())


def _made(name: str, code: int, rest: Sequence[object]) -> bool:
    """False for a topic that another process made meanwhile; aiokafka leaves the broker's refusals unraised."""
    if code == TopicAlreadyExistsError.errno:
        return False
    if code:
        raise for_code(code)(f"{name}: {rest}")
    return True
