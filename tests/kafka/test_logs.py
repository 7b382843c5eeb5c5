"""A position is believed only in the log that it was taken in, against real brokers (design §5.10)."""

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from local.backend import Backend
from proforma import positions
from proforma.db import execute
from proforma.envelope import Position, Record
from proforma.kafka.consumer import Consumer
from proforma.telemetry import CONSUMER_STOPPED
from proforma.worker import Worker
from tests.conftest import MakeRuntime, MakeTopics
from tests.kafka.exchanged import TOPIC, admin_of, consumed, goes_on, make_again, stopped, to_earliest, values
from tests.proforma.test_consumer import consumer_of, events, has
from tests.support.kafka import Broker
from tests.support.probe import SERVICE
from tests.support.rows import change, rows, value
from tests.support.waits import eventually, running

pytestmark = pytest.mark.xdist_group("secure-kafka")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proforma.consumer._EXAMINE_STOPPED_S", 0)
    monkeypatch.setattr("proforma.kafka.consumer._METADATA_MS", 500)


async def test_a_topic_that_was_made_again_stops_its_consumer_though_its_log_is_longer(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, backend: Backend, topic_prefix: str
) -> None:
    """By offsets alone nothing is wrong: 3 was next, and the new log has a message there. The first three were lost."""
    runtime = await make_runtime("probe")
    await make_topics(TOPIC, partitions=1)
    await consumed(runtime, broker, 1, 2, 3)
    await make_again(backend, topic_prefix)
    await broker.send(*events(4, 5, 6, 7))
    consumer = consumer_of(runtime)
    async with running(consumer):
        await stopped(consumer, "made again")
        assert await values(runtime) == list("123")
        await to_earliest(runtime)
        await eventually(lambda: has(runtime, 7))
        await goes_on(consumer)


async def test_a_topic_that_is_made_again_under_a_running_consumer_stops_it(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, backend: Backend, topic_prefix: str
) -> None:
    runtime = await make_runtime("probe")
    await make_topics(TOPIC, partitions=1)
    consumer = consumer_of(runtime)
    async with running(consumer):
        await broker.send(*events(1, 2, 3))
        await eventually(lambda: has(runtime, 3))
        await make_again(backend, topic_prefix)
        await broker.send(*events(4))
        await stopped(consumer, "made again")
        assert await values(runtime) == list("123")
        await to_earliest(runtime)
        await eventually(lambda: has(runtime, 4))


async def test_a_client_that_began_again_by_itself_is_asked_why(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of its log, Kafka's client goes to the beginning without a word: what lies below the position was cut."""
    runtime = await make_runtime("probe")
    await make_topics(TOPIC, partitions=1)
    lost = False
    poll = Consumer.poll

    async def polled(client: Consumer, timeout_ms: int) -> dict[Position, list[Record]]:
        nonlocal lost
        if lost:
            lost = False
            await change(runtime, "update consumed set next_offset = 100")
            await client._consumer.seek_to_beginning()
        return await poll(client, timeout_ms)

    monkeypatch.setattr(Consumer, "poll", polled)
    consumer = consumer_of(runtime)
    async with running(consumer):
        await broker.send(*events(1, 2, 3))
        await eventually(lambda: has(runtime, 3))
        lost = True
        await stopped(consumer, "the log ends at 3, before the position 100")


async def test_a_log_that_got_shorter_under_an_idle_consumer_is_noticed(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No message and no rebalance comes that would show it: it asks now and then."""
    monkeypatch.setattr("proforma.consumer._EXAMINE_S", 0)
    runtime = await make_runtime("probe")
    await make_topics(TOPIC, partitions=1)
    consumer = consumer_of(runtime)
    async with running(consumer):
        await broker.send(*events(1))
        await eventually(lambda: has(runtime, 1))
        await change(runtime, "update consumed set next_offset = 100")
        await stopped(consumer, "the log ends at 1, before the position 100")


async def test_a_log_that_ends_before_the_position_stops_its_partition_alone(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe")
    await make_topics(TOPIC, partitions=2)
    await consumed(runtime, broker, 1, 2, 3)
    # A Kafka that was restored from yesterday: it has less than was read.
    await change(runtime, "update consumed set next_offset = 100 where partition = 0")
    worker = Worker(runtime, SERVICE.work(runtime))
    assert worker.consumer is not None
    async with running(worker):
        await stopped(worker.consumer, f"{TOPIC}/0: the log ends at 3, before the position 100")
        await broker.send(*events(4), *events(5, partition=1))
        await eventually(lambda: has(runtime, 4))
        assert worker.problems() == {"positions": worker.consumer.stopped}
        assert CONSUMER_STOPPED.labels(TOPIC, "0")._value.get() == 1
        (waits,) = await rows(runtime, "select kind, id, detail from waiting")
        assert (waits["kind"], waits["id"]) == ("stopped_partition", f"{TOPIC}/0")
        assert "before the position 100" in waits["detail"]
        await positions.set_position(runtime, runtime.context("ann"), TOPIC, 0, 3, "seen in the effects")
        await eventually(lambda: has(runtime, 5))
        await goes_on(worker.consumer)
        assert CONSUMER_STOPPED.labels(TOPIC, "0")._value.get() == 0
        assert await rows(runtime, "select kind from waiting") == []


async def test_a_log_that_begins_after_the_position_stops_its_consumer(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, backend: Backend, topic_prefix: str
) -> None:
    runtime = await make_runtime("probe")
    await make_topics(TOPIC, partitions=1)
    await consumed(runtime, broker, 1)
    await broker.send(*events(2, 3, 4))
    async with admin_of(backend) as admin:
        await admin.delete_records({TopicPartition(topic_prefix + TOPIC, 0): RecordsToDelete(before_offset=3)})
    consumer = consumer_of(runtime)
    async with running(consumer):
        await stopped(consumer, "the log begins at 3, after the position 1")
        assert await values(runtime) == ["1"]
        await to_earliest(runtime)
        await eventually(lambda: has(runtime, 2))
    assert await values(runtime) == ["1", "4"]


async def test_a_hole_inside_of_the_log_is_read_over(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, backend: Backend, topic_prefix: str
) -> None:
    """The marker of a transaction is an offset without a message."""
    runtime = await make_runtime("probe")
    await make_topics(TOPIC, partitions=1)
    async with AIOKafkaProducer(bootstrap_servers=backend.kafka, transactional_id=topic_prefix) as producer:
        for record in events(1, 2):
            async with producer.transaction():
                await producer.send_and_wait(topic_prefix + TOPIC, record.value, headers=record.headers)
    consumer = consumer_of(runtime)
    async with running(consumer):
        await eventually(lambda: has(runtime, 2))
        assert await value(runtime, "select next_offset from consumed") == 3
    async with running(consumer):
        await broker.send(*events(3))
        await eventually(lambda: has(runtime, 3))
        assert consumer.stopped is None


async def test_a_position_from_before_logs_were_known_is_believed_once(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, backend: Backend, topic_prefix: str
) -> None:
    """As the release before wrote it."""
    runtime = await make_runtime("probe")
    await make_topics(TOPIC, partitions=1)
    await broker.send(*events(1, 2))
    before = "insert into consumed (consumer, topic, partition, next_offset, updated_at) values ($1, $2, 0, 1, now())"
    async with runtime.database.transaction() as session:
        await execute(session, before, runtime.group, TOPIC)
    async with running(consumer_of(runtime)):
        await eventually(lambda: has(runtime, 1))
    assert await values(runtime) == ["2"]
    assert await value(runtime, "select topic_id is not null and cluster_id is not null from consumed")
    await make_again(backend, topic_prefix)
    consumer = consumer_of(runtime)
    async with running(consumer):
        await stopped(consumer, "made again")
