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
    relies on order across messages. Raises as `create_topics` does.
    """
    async with _admin(access) as admin:
        wanted = {access.prefix + topic.name: topic.partitions for topic in topics}
        there = {one["topic"]: len(one["partitions"]) for one in await admin.describe_topics(list(wanted))}
        growing = {name: NewPartitions(count) for name, count in wanted.items() if 0 < there.get(name, 0) < count}
        if growing:
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
