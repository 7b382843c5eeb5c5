"""Topics that are made again, and consumers that stop at it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient

from local.backend import Backend
from proforma import positions
from proforma.consumer import BatchConsumer
from proforma.kafka.cluster import look
from proforma.kafka.topics import create_topics
from proforma.kafka_access import KafkaAccess
from proforma.runtime import Runtime
from proforma.topics import Topic
from tests.proforma.test_consumer import consumer_of, events, has
from tests.support.kafka import Broker
from tests.support.rows import rows
from tests.support.waits import eventually, running

TOPIC = "probe.things"


@asynccontextmanager
async def admin_of(backend: Backend) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=backend.kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def make_again(backend: Backend, prefix: str, partitions: int = 1) -> None:
    """Deletes the topic and makes it again, empty."""
    async with admin_of(backend) as admin:
        await admin.delete_topics([prefix + TOPIC])

        async def gone() -> bool:
            return prefix + TOPIC not in await admin.list_topics()

        await eventually(gone)
    access = KafkaAccess(backend.kafka, prefix)
    assert await create_topics(access, [Topic(TOPIC, partitions)])

    async def there() -> bool:
        return TOPIC in (await look(access, [TOPIC])).topics

    # A broker hears of it a moment later than the controller that made it.
    await eventually(there)


async def stopped(consumer: BatchConsumer, words: str) -> None:
    async def says() -> bool:
        return words in (consumer.stopped or "")

    await eventually(says)


async def goes_on(consumer: BatchConsumer) -> None:
    async def fine() -> bool:
        return consumer.stopped is None

    await eventually(fine)


async def values(runtime: Runtime) -> list[str]:
    return [row["value"] for row in await rows(runtime, "select value from effects order by value")]


async def to_earliest(runtime: Runtime) -> None:
    await positions.set_position(runtime, runtime.context("ann"), TOPIC, None, "earliest", "Kafka was made anew")


async def consumed(runtime: Runtime, broker: Broker, *given: object) -> None:
    """The events have taken effect, and nobody consumes any more."""
    async with running(consumer_of(runtime)):
        await broker.send(*events(*given))
        await eventually(lambda: has(runtime, len(given)))
