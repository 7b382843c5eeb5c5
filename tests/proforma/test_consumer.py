"""The consumer against a real Kafka: its position is in its own database, whatever the group does."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from proforma.consumer import BatchConsumer
from proforma.context import Context
from proforma.db import execute
from proforma.envelope import Message, Position, Record
from proforma.handlers import Handler, Handlers
from proforma.intake import Intake
from proforma.kafka.consumer import Consumer, ConsumerFactory
from proforma.runtime import Runtime
from tests.conftest import MakeRuntime, MakeTopics
from tests.support.databases import Databases
from tests.support.events import record_of
from tests.support.kafka import Broker
from tests.support.probe import HANDLERS, Told, write_effects
from tests.support.rows import change, rows, value
from tests.support.waits import eventually, running

EFFECTS = "select count(*) from effects"
LETTERS = "select count(*) from dead_letters"


def consumer_of(runtime: Runtime, handlers: Handlers = HANDLERS, topics: Sequence[str] = ()) -> BatchConsumer:
    settings = runtime.settings
    return BatchConsumer(
        Intake(runtime.database, runtime.context(), handlers, runtime.group),
        ConsumerFactory(settings.kafka_access, runtime.group, topics or handlers.topics),
        settings.limits.consume_messages_max,
    )


def events(*values: object, partition: int = 0) -> list[Record]:
    return [record_of(Told(name="k", value=str(one)), partition=partition) for one in values]


async def has(runtime: Runtime, count: int) -> bool:
    found: int = await value(runtime, EFFECTS)
    assert found <= count
    return found == count


async def test_events_take_effect_and_kafka_is_told(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things", partitions=1)
    async with running(consumer_of(runtime)):
        await broker.send(*events(*range(120)))
        await eventually(lambda: has(runtime, 120))

        async def told() -> bool:
            return await broker.committed(runtime.group, "probe.things") == {0: 120}

        await eventually(told)


async def test_a_death_between_the_commits_repeats_nothing(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database has committed, Kafka was never told: the next member reads on where the database is."""
    runtime = await make_runtime("probe")
    await make_topics("probe.things", partitions=1)

    async def dies(_: Consumer, __: dict[Position, int]) -> None:
        return

    monkeypatch.setattr(Consumer, "commit", dies)
    async with running(consumer_of(runtime)):
        await broker.send(*events(1, 2, 3))
        await eventually(lambda: has(runtime, 3))
    assert await broker.committed(runtime.group, "probe.things") == {0: None}
    # With the inbox gone, only the position keeps them from taking effect again.
    await change(runtime, "delete from inbox")
    async with running(consumer_of(runtime)):
        await broker.send(*events(4))
        await eventually(lambda: has(runtime, 4))
    assert await value(runtime, LETTERS) == 0
    assert await value(runtime, "select count(*) from inbox") == 1


async def test_kafkas_own_offset_is_not_believed(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things", partitions=1)
    await broker.send(*events(1, 2, 3))
    await broker.commit(runtime.group, "probe.things", 3)
    async with running(consumer_of(runtime)):
        await eventually(lambda: has(runtime, 3))


async def test_a_position_that_went_back_while_reading_is_read_again_from_there(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things", partitions=1)
    async with running(consumer_of(runtime)):
        await broker.send(*events(1, 2, 3))
        await eventually(lambda: has(runtime, 3))
        # A restored database: it has seen the first event only.
        async with runtime.database.transaction() as session:
            await execute(session, "delete from effects where value <> '1'")
            await execute(session, "delete from inbox")
            await execute(session, "update consumed set next_offset = 1")
        await broker.send(*events(4))
        await eventually(lambda: has(runtime, 4))
    assert [row["value"] for row in await rows(runtime, "select value from effects order by value")] == list("1234")


async def test_two_members_share_and_hand_over_in_the_middle(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things", partitions=4)
    first, second = consumer_of(runtime), consumer_of(runtime)

    async def send(start: int) -> None:
        for part in range(4):
            await broker.send(*events(*range(start, start + 100), partition=part))

    async def shared() -> bool:
        return len(first.assigned) == len(second.assigned) == 2

    async def alone() -> bool:
        return len(second.assigned) == 4

    async with running(second):
        async with running(first):
            sending = asyncio.create_task(send(0))
            await eventually(shared)
            await sending
            sending = asyncio.create_task(send(100))
            await eventually(lambda: at_least(runtime, 500))
        await eventually(alone)
        await sending
        await eventually(lambda: has(runtime, 800))
    assert await value(runtime, LETTERS) == 0
    assert await value(runtime, "select sum(next_offset) from consumed") == 800


async def at_least(runtime: Runtime, count: int) -> bool:
    return bool(await value(runtime, EFFECTS) >= count)


async def test_a_batch_that_times_out_is_halved_and_never_set_aside(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe", statement_timeout_s=1)
    await make_topics("probe.things", partitions=1)
    sizes: list[int] = []

    async def slow(session: AsyncSession, context: Context, messages: Sequence[Message[Told]]) -> None:
        sizes.append(len(messages))
        await execute(session, f"select pg_sleep({len(messages) * 0.06})")
        await write_effects(session, context, messages)

    await broker.send(*events(*range(40)))
    async with running(consumer_of(runtime, Handlers(Handler(Told, slow)))):
        await eventually(lambda: has(runtime, 40), limit_s=40)
    assert sizes[:4] == [40, 25, 12, 28]
    assert await value(runtime, LETTERS) == 0


async def test_a_lock_that_somebody_holds_is_waited_for(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe", lock_timeout_s=1)
    await make_topics("probe.things", partitions=1)
    consumer = consumer_of(runtime)

    async def waits() -> bool:
        return bool(consumer.problem and "lock" in consumer.problem)

    async with running(consumer):
        async with runtime.database.transaction() as session:
            await execute(session, "lock table effects in share mode")
            await broker.send(*events(1))
            await eventually(waits)
        await eventually(lambda: has(runtime, 1))
        assert consumer.problem is None
    assert await value(runtime, LETTERS) == 0


async def test_a_database_that_is_away_is_waited_for(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, databases: Databases
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things", partitions=1)
    name = await value(runtime, "select current_database()")
    consumer = consumer_of(runtime)

    async def waits() -> bool:
        return consumer.problem is not None

    async with running(consumer):
        await broker.send(*events(1))
        await eventually(lambda: has(runtime, 1))
        await databases.close(name)
        await broker.send(*events(2, 3))
        await eventually(waits)
        await databases.open(name)
        await eventually(lambda: has(runtime, 3))
        assert consumer.problem is None
    assert await value(runtime, LETTERS) == 0


async def test_a_database_that_is_away_at_the_assignment_is_asked_again(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, databases: Databases
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things", partitions=3)
    name = await value(runtime, "select current_database()")
    for part in range(3):
        await broker.send(*events(1, partition=part))
    consumer = consumer_of(runtime)

    async def waits() -> bool:
        return bool(consumer.problem and consumer.problem.startswith("database"))

    await databases.close(name)
    async with running(consumer):
        await eventually(waits)
        await databases.open(name)
        await eventually(lambda: has(runtime, 3))


async def test_a_stop_finishes_the_batch_in_hand_and_leaves_the_rest(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe", limits={"consume_messages_max": 10})
    await make_topics("probe.things", partitions=1)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(session: AsyncSession, context: Context, messages: Sequence[Message[Told]]) -> None:
        begun.set()
        await go_on.wait()
        await write_effects(session, context, messages)

    await broker.send(*events(*range(30)))
    async with running(consumer_of(runtime, Handlers(Handler(Told, slow)))) as stop:
        await begun.wait()
        stop.set()
        go_on.set()
    assert await value(runtime, EFFECTS) == 10
    assert await value(runtime, "select next_offset from consumed") == 10
    async with running(consumer_of(runtime)):
        await eventually(lambda: has(runtime, 30))
