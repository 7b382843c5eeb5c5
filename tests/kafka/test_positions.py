"""What an operator does about positions and outboxes, against real brokers."""

import pytest

from local.backend import Backend
from proforma import outbox, positions
from proforma.envelope import Event
from proforma.errors import Conflict, Invalid, NotFound
from proforma.kafka.topics import create_topics
from proforma.runtime import Runtime
from proforma.topics import Topic
from proforma.worker import Worker
from tests.conftest import MakeRuntime, MakeTopics
from tests.kafka.conftest import SecureKafka
from tests.kafka.exchanged import TOPIC, consumed, make_again, stopped, to_earliest, values
from tests.proforma.test_consumer import events, has
from tests.support.kafka import Broker
from tests.support.probe import SERVICE, Told
from tests.support.rows import change, rows, value
from tests.support.waits import eventually, running

pytestmark = pytest.mark.xdist_group("secure-kafka")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proforma.consumer._EXAMINE_STOPPED_S", 0)
    monkeypatch.setattr("proforma.kafka.consumer._METADATA_MS", 500)


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
