"""The outbox: what is committed is sent, nothing is lost, each key keeps its order."""

import asyncio
import json
import random
from collections import defaultdict
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from proforma import outbox
from proforma.clock import SetClock
from proforma.db import execute, fetch_value
from proforma.envelope import Outgoing
from proforma.errors import BrokenRule
from proforma.kafka.producer import ProducerFactory
from proforma.relay import Relay
from proforma.runtime import Runtime
from tests.conftest import MakeRuntime, MakeTopics
from tests.support.events import outbox_of
from tests.support.kafka import Broker
from tests.support.probe import Told
from tests.support.rows import change, rows, value
from tests.support.waits import eventually, running

PENDING = "select count(*) from outbox where not published"


def relay_of(runtime: Runtime) -> Relay:
    settings = runtime.settings
    producers = ProducerFactory(settings.kafka_access)
    return Relay(runtime.database, producers, "/probe", runtime.clock, settings.limits)


async def all_sent(runtime: Runtime) -> bool:
    return bool(await value(runtime, f"select not exists ({PENDING.replace('count(*)', '1')})"))


async def test_an_event_is_part_of_the_transaction_that_causes_it(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    async with runtime.database.transaction() as session:
        await outbox.emit(session, runtime.context(), [Told(name="a", value="1")])
        await session.rollback()
    assert await outbox_of(runtime) == []


async def test_events_of_one_call_keep_their_order(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    async with runtime.database.transaction() as session:
        events = [Told(name="a", value=str(number)) for number in range(200)]
        await outbox.emit(session, runtime.context(), events)
    assert [one.body["value"] for one in await outbox_of(runtime)] == [str(number) for number in range(200)]


async def test_one_that_commits_late_with_a_lower_id_is_not_lost(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things")
    async with running(relay_of(runtime)):
        async with runtime.database.transaction() as late:
            await outbox.emit(late, runtime.context(), [Told(name="late", value="1")])
            async with runtime.database.transaction() as early:
                await outbox.emit(early, runtime.context(), [Told(name="early", value="2")])
            await eventually(lambda: value(runtime, "select published from outbox where key = 'early'"))
        await eventually(lambda: all_sent(runtime))
    assert {record.key for record in await broker.read("probe.things")} == {b"late", b"early"}


async def test_each_key_keeps_its_order_with_many_writers(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe", pool_size=10)
    await make_topics("probe.things")
    keys = {f"key-{number}": uuid4() for number in range(4)}
    for key, row in keys.items():
        await change(runtime, "insert into effects values ($1, $2, '0')", row, key)
    chance = random.Random(7)

    async def write(key: str) -> None:
        async with runtime.database.transaction() as session:
            version = await fetch_value(
                session, "update effects set value = (value::int + 1)::text where event_id = $1 returning value",
                keys[key],
            )  # fmt: skip
            await asyncio.sleep(chance.random() / 100)
            await outbox.emit(session, runtime.context(), [Told(name=key, value=version)])

    async with running(relay_of(runtime)):
        await asyncio.gather(*(write(key) for _ in range(25) for key in keys))
        await eventually(lambda: all_sent(runtime))
    sent = defaultdict(list)
    for record in await broker.read("probe.things"):
        sent[record.key].append(json.loads(record.value or b"")["value"])
    assert sent == {key.encode(): [str(number) for number in range(1, 26)] for key in keys}


async def test_the_relay_reads_in_the_order_of_ids(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    for number in range(5):
        async with runtime.database.transaction() as session:
            await outbox.emit(session, runtime.context(), [Told(name="k", value=str(number))])
    # Updating a row moves it to the end of the table, where a read without an order finds it last.
    await change(runtime, "update outbox set trace = trace where id = 1")
    found = await rows(runtime, outbox.PENDING, 3, 10_000_000)
    assert [json.loads(row["body"])["value"] for row in found] == ["0", "1", "2"]


async def test_a_batch_ends_at_its_bytes_but_has_one_event_at_least(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    async with runtime.database.transaction() as session:
        big = [Outgoing("probe.things", "t", "k", f'"{"x" * 1_000}"') for _ in range(5)]
        await outbox.emit(session, runtime.context(), big)
    assert len(await rows(runtime, outbox.PENDING, 500, 2_000)) == 2
    assert len(await rows(runtime, outbox.PENDING, 500, 1)) == 1
    assert len(await rows(runtime, outbox.PENDING, 3, 1_000_000)) == 3


async def test_what_kafka_would_refuse_is_refused_where_the_caller_hears_of_it(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    insert = (
        "insert into outbox (event_id, topic, type, key, body, created_at)"
        " values ($1, 'probe.things', 't', $2, $3, now())"
    )
    for key, body in (("k", "x" * 1_000_001), ("", "{}"), ("k" * 257, "{}")):
        with pytest.raises(asyncpg.CheckViolationError):
            await change(runtime, insert, uuid4(), key, body)
    with pytest.raises(BrokenRule, match="more than"):
        async with runtime.database.transaction() as session:
            await outbox.emit(session, runtime.context(), [Told(name="k", value="x" * 900_001)])
    assert await outbox_of(runtime) == []


async def test_the_largest_event_that_fits_arrives(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe", limits={"event_bytes_max": 1_000_000})
    await make_topics("probe.things")
    # Two, so that a batch of the producer is full with the first.
    bodies = [f'{{"n":{number},"x":"{chr(120) * 999_986}"}}' for number in range(2)]
    assert {len(body) for body in bodies} == {1_000_000}
    async with runtime.database.transaction() as session:
        events = [Outgoing("probe.things", Told.TYPE, "k" * 256, body) for body in bodies]
        await outbox.emit(session, runtime.context(), events)
    async with running(relay_of(runtime)):
        await eventually(lambda: all_sent(runtime))
    assert [record.value for record in await broker.read("probe.things")] == [body.encode() for body in bodies]


async def test_only_published_rows_past_their_time_are_purged(make_runtime: MakeRuntime, clock: SetClock) -> None:
    runtime = await make_runtime("probe")
    async with runtime.database.transaction() as session:
        await outbox.emit(session, runtime.context(), [Told(name=name, value="1") for name in ("old", "new", "unsent")])
    old, new = clock.now() - timedelta(days=31), clock.now() - timedelta(days=29)
    await change(runtime, "update outbox set published = true, published_at = $1 where key = 'old'", old)
    await change(runtime, "update outbox set published = true, published_at = $1 where key = 'new'", new)
    await change(runtime, "update outbox set created_at = $1", old)
    async with runtime.database.transaction() as session:
        assert await outbox.purge(session, clock.now(), 30) == 1
    assert [one.key for one in await outbox_of(runtime)] == ["new", "unsent"]


async def test_emitting_wakes_the_relay(
    make_runtime: MakeRuntime, make_topics: MakeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proforma.relay._HEARTBEAT_S", 600)
    runtime = await make_runtime("probe")
    await make_topics("probe.things")
    async with running(relay_of(runtime)):
        # After each the relay looks once more and then sleeps for ten minutes, unless it is woken.
        for number in range(5):
            async with runtime.database.transaction() as session:
                await outbox.emit(session, runtime.context(), [Told(name="k", value=str(number))])
            await eventually(lambda: all_sent(runtime))


async def test_the_service_cannot_delete_its_identity(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    async with runtime.database.transaction() as session:
        origin = await outbox.origin(session)
    assert origin.version == 4
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with runtime.database.transaction() as session:
            await execute(session, "delete from database_identity")
