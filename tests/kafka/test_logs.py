"""A position is believed only in the log that it was taken in, against real brokers (design §5.10)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from local.backend import Backend
from proforma import outbox, positions
from proforma.consumer import BatchConsumer
from proforma.db import execute
from proforma.envelope import Event, Position, Record
from proforma.errors import Conflict, Invalid, NotFound
from proforma.kafka import Consumer, create_topics
from proforma.kafka_access import KafkaAccess
from proforma.runtime import Runtime
from proforma.telemetry import CONSUMER_STOPPED
from proforma.topics import Topic
from proforma.worker import Worker
from tests.conftest import MakeRuntime, MakeTopics
from tests.kafka.conftest import SecureKafka
from tests.proforma.test_consumer import consumer_of, events, has
from tests.support.kafka import Broker
from tests.support.probe import SERVICE, Told
from tests.support.rows import change, rows, value
from tests.support.waits import eventually, running

pytestmark = pytest.mark.xdist_group("secure-kafka")
TOPIC = "probe.things"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proforma.consumer._EXAMINE_STOPPED_S", 0)
    monkeypatch.setattr("proforma.kafka.consumer._METADATA_MS", 500)


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
    assert await create_topics(KafkaAccess(backend.kafka, prefix), [Topic(TOPIC, partitions)])


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


async def test_a_log_that_is_exchanged_under_an_idle_consumer_is_noticed(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, backend: Backend, topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """No message comes that would show it: it asks now and then."""
    monkeypatch.setattr("proforma.consumer._EXAMINE_S", 0)
    runtime = await make_runtime("probe")
    await make_topics(TOPIC, partitions=1)
    consumer = consumer_of(runtime)
    async with running(consumer):
        await broker.send(*events(1))
        await eventually(lambda: has(runtime, 1))
        await make_again(backend, topic_prefix)
        await stopped(consumer, "made again")


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


async def emit(runtime: Runtime, *said: Event) -> None:
    async with runtime.database.transaction() as session:
        await outbox.emit(session, runtime.context(), said)


def told(*given: int) -> list[Told]:
    return [Told(name="k", value=str(one)) for one in given]


async def test_another_cluster_stops_everything_until_it_is_set_and_the_outbox_has_sent_again(
    make_runtime: MakeRuntime, make_topics: MakeTopics, secure_kafka: SecureKafka, topic_prefix: str
) -> None:
    runtime = await make_runtime("probe")
    await make_topics(TOPIC, partitions=1)
    async with running(Worker(runtime, SERVICE.work(runtime))):
        await emit(runtime, *told(1, 2, 3))
        await eventually(lambda: has(runtime, 3))
    old = await value(runtime, "select cluster_id from consumed")

    # The same database, beside a Kafka that was made anew.
    settings = runtime.settings.model_copy(update={"kafka": secure_kafka.plain})
    moved = SERVICE.runtime(settings, "test", clock=runtime.clock)
    await create_topics(settings.kafka_access, [Topic(TOPIC, 1)])
    worker = Worker(moved, SERVICE.work(moved))
    assert worker.consumer is not None
    try:
        async with running(worker):
            await emit(moved, *told(4, 5, 6, 7))
            await stopped(worker.consumer, f"it is of the Kafka cluster {old}, this one is ")
            await eventually(lambda: value(moved, "select bool_and(published) from outbox"))
            assert await values(moved) == list("123")
            # What only the old one had is said again, and what both have takes effect once.
            assert await positions.send_again(moved, moved.context("ann"), TOPIC, "a new Kafka") == 7
            await to_earliest(moved)
            await eventually(lambda: has(moved, 7))
            await eventually(lambda: value(moved, "select next_offset = 11 from consumed"))
        assert await values(moved) == list("1234567")
        assert await value(moved, "select count(*) from dead_letters") == 0
        kept = await rows(moved, "select kind, partition, reason, decided_by from interventions order by id")
        assert [tuple(row.values()) for row in kept] == [
            ("sent_again", None, "a new Kafka", "ann"), ("position_set", 0, "Kafka was made anew", "ann"),
        ]  # fmt: skip
    finally:
        await moved.database.close()


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


async def test_positions_are_shown_beside_their_logs_and_set_only_into_them(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, backend: Backend, topic_prefix: str
) -> None:
    runtime = await make_runtime("probe")
    ann = runtime.context("ann")
    await make_topics(TOPIC, partitions=2)
    await consumed(runtime, broker, 1, 2, 3)
    await broker.send(*events(4, 5))
    first, second = await positions.show(runtime, [TOPIC])
    assert (first.partition, first.position, first.log_begins, first.log_ends, first.behind) == (0, 3, 0, 5, 2)
    assert (second.partition, second.position, second.behind, second.stopped_because) == (1, 0, 0, None)
    for partition, to, error in ((0, 6, Conflict), (0, -1, Conflict), (7, 0, NotFound)):
        with pytest.raises(error):
            await positions.set_position(runtime, ann, TOPIC, partition, to, "a try")
    with pytest.raises(NotFound):
        await positions.set_position(runtime, ann, "probe.nothing", None, "earliest", "a try")
    with pytest.raises(Invalid):
        await positions.set_position(runtime, ann, TOPIC, 0, "earliest", " ")
    with pytest.raises(Invalid, match="not a topic that probe writes"):
        await positions.send_again(runtime, ann, "invoicing.invoices", "a try")
    assert await value(runtime, "select count(*) from interventions") == 0

    await make_again(backend, topic_prefix, partitions=1)
    first, second = await positions.show(runtime, [TOPIC])
    assert first.stopped_because is not None
    assert second.stopped_because == "Kafka has no such partition any more"
    assert await positions.set_position(runtime, ann, TOPIC, None, "earliest", "made again") == {(TOPIC, 0): 0}
    (only,) = await positions.show(runtime, [TOPIC])
    assert (only.position, only.behind, only.stopped_because) == (0, 0, None)


async def test_only_what_was_written_since_is_sent_again(make_runtime: MakeRuntime, make_topics: MakeTopics) -> None:
    runtime = await make_runtime("probe")
    ann = runtime.context("ann")
    await emit(runtime, *told(1, 2, 3, 4))
    await change(runtime, "update outbox set published = true, published_at = created_at")
    late = await value(runtime, "select created_at + interval '1 hour' from outbox limit 1")
    await change(runtime, "update outbox set created_at = created_at + interval '1 hour' where id = 4")
    unsent = "select array_agg(id order by id) from outbox where not published"
    assert await positions.send_again(runtime, ann, TOPIC, "by time", since=late) == 1
    assert await value(runtime, unsent) == [4]
    assert await positions.send_again(runtime, ann, TOPIC, "by id", since_id=3) == 1
    assert await value(runtime, unsent) == [3, 4]
