"""The relay: one at a time, whatever happens to it or to what it talks to."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
import pytest

from local.kafka import Kafka
from proforma import outbox
from proforma.envelope import Event
from proforma.kafka.producer import Producer, ProducerFactory
from proforma.kafka.topics import create_topics
from proforma.kafka_access import KafkaAccess
from proforma.relay import LOCK, Relay
from proforma.runtime import Runtime
from proforma.topics import Topic
from proforma.worker import Worker
from tests.conftest import MakeRuntime, MakeTopics
from tests.proforma.test_outbox import all_sent, relay_of
from tests.support.databases import Databases
from tests.support.kafka import Broker
from tests.support.probe import SERVICE, Told
from tests.support.processes import environment, process
from tests.support.rows import rows, value
from tests.support.waits import eventually, running

HOLDER = """
select pid from pg_locks
where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
"""


async def emit(runtime: Runtime, *events: Event) -> None:
    async with runtime.database.transaction() as session:
        await outbox.emit(session, runtime.context(), events)


async def is_active(relay: Relay) -> bool:
    return relay.active


async def test_of_two_one_is_active_and_the_other_takes_over_when_it_stops(
    make_runtime: MakeRuntime, make_topics: MakeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = await make_runtime("probe")
    tries: list[str] = []
    connect = runtime.database.connect

    async def counted(**settings: str) -> Any:
        tries.append("connect")
        return await connect(**settings)

    async def has_tried(times: int) -> bool:
        return len(tries) >= times

    await make_topics("probe.things")
    first, second = relay_of(runtime), relay_of(runtime)
    async with running(second) as stop_second:
        await eventually(lambda: is_active(second))
        monkeypatch.setattr(runtime.database, "connect", counted)
        async with running(first):
            await emit(runtime, Told(name="a", value="1"))
            await eventually(lambda: all_sent(runtime))
            await eventually(lambda: has_tried(2))
            assert (first.active, second.active) == (False, True)
            assert len(await rows(runtime, HOLDER)) == 1
            stop_second.set()
            await eventually(lambda: is_active(first))
            assert not second.active
            await emit(runtime, Told(name="a", value="2"))
            await eventually(lambda: all_sent(runtime))


async def test_a_leader_whose_session_is_killed_loses_the_lead(
    make_runtime: MakeRuntime, make_topics: MakeTopics, databases: Databases
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things")
    relay = relay_of(runtime)
    async with running(relay):
        await eventually(lambda: is_active(relay))
        (holder,) = await rows(runtime, HOLDER)
        operator = await databases.superuser(await value(runtime, "select current_database()"))
        try:
            await operator.execute("select pg_terminate_backend($1)", holder["pid"])
        finally:
            await operator.close()
        await emit(runtime, Told(name="a", value="1"))
        await eventually(lambda: all_sent(runtime))
        (now,) = await rows(runtime, HOLDER)
        assert now["pid"] != holder["pid"]


async def test_a_frozen_relay_is_replaced_within_15_seconds(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things")
    async with process("tests.support.probe", "worker", environment(runtime, PROFORMA_WORKER_PORT="0")) as worker:
        await emit(runtime, Told(name="a", value="1"))
        await eventually(lambda: all_sent(runtime), limit_s=40)
        relay = relay_of(runtime)
        async with running(relay):
            assert not relay.active
            worker.send(signal.SIGSTOP)
            frozen_at = time.monotonic()
            await emit(runtime, Told(name="a", value="2"))
            await eventually(lambda: is_active(relay), limit_s=30)
            assert time.monotonic() - frozen_at < 15
            await eventually(lambda: all_sent(runtime))
            worker.send(signal.SIGCONT)
            await emit(runtime, Told(name="a", value="3"))
            await eventually(lambda: all_sent(runtime))
            assert relay.active
    values = [record.value for record in await broker.read("probe.things")]
    assert values == [f'{{"name":"a","value":"{number}"}}'.encode() for number in (1, 2, 3)]


@pytest.mark.parametrize("frozen", ["between the steps of a statement", "reading its rows", "idle"])
async def test_whatever_the_relay_did_when_it_froze_another_takes_over(
    make_runtime: MakeRuntime, frozen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proforma.relay._FROZEN_S", 1)
    runtime = await make_runtime("probe")
    connection = await runtime.database.connect()
    assert await connection.fetchval("select pg_try_advisory_lock($1)", LOCK)
    statement = await connection.prepare("select repeat('x', 1000000) from generate_series(1, 60)")
    transport = connection._transport
    reading: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    if frozen == "idle":
        reading.set_exception(OSError("nothing to read"))
    elif frozen == "reading its rows":
        reading = asyncio.ensure_future(statement.fetch())
    else:
        reading = asyncio.ensure_future(connection.fetch("select 'not prepared yet'"))
    await asyncio.sleep(0)
    transport.pause_reading()
    relay = relay_of(runtime)
    async with running(relay):
        await eventually(lambda: is_active(relay))
    transport.resume_reading()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
        await reading
    connection.terminate()


class _Crashing:
    """A producer that loses its process right after Kafka has acknowledged, once."""

    crashes = 1

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def __aenter__(self) -> Self:
        await self._producer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.__aexit__(kind, error, trace)

    async def send_all(self, messages: Iterable[tuple[str, str, str, Sequence[tuple[str, bytes]]]]) -> None:
        await self._producer.send_all(messages)
        if _Crashing.crashes:
            _Crashing.crashes -= 1
            raise ConnectionError("crash between send and mark")


async def test_what_was_sent_but_not_marked_is_sent_again_and_takes_effect_once(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things")
    _Crashing.crashes = 1
    monkeypatch.setattr(ProducerFactory, "__call__", lambda f: _Crashing(Producer(f.access)))
    await emit(runtime, *(Told(name="a", value=str(number)) for number in range(3)))
    async with running(Worker(runtime, SERVICE.work(runtime))):
        await eventually(lambda: all_sent(runtime))
        ids = [record.event_id() for record in await broker.read("probe.things")]
        assert len(ids) == 6
        assert ids[:3] == ids[3:]
        await eventually(lambda: value(runtime, "select sum(next_offset) = 6 from consumed"))
    assert await value(runtime, "select count(*) from effects") == 3
    assert await value(runtime, "select count(*) from dead_letters") == 0


async def test_a_slow_broker_costs_no_lead(
    make_runtime: MakeRuntime, make_topics: MakeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things")
    send_all = Producer.send_all

    async def slowly(producer: Producer, messages: Iterable[tuple[str, str, str, Sequence[tuple[str, bytes]]]]) -> None:
        await asyncio.sleep(6)
        await send_all(producer, messages)

    monkeypatch.setattr("proforma.relay._FROZEN_S", 3)
    monkeypatch.setattr("proforma.relay._HEARTBEAT_S", 0.2)
    monkeypatch.setattr(Producer, "send_all", slowly)
    relay = relay_of(runtime)
    await emit(runtime, Told(name="a", value="1"))
    async with running(relay):
        # The other one begins when this one leads: begun together, either may.
        await eventually(lambda: is_active(relay))
        async with running(relay_of(runtime)):
            (holder,) = await rows(runtime, HOLDER)
            await eventually(lambda: all_sent(runtime))
            assert await rows(runtime, HOLDER) == [holder]


@asynccontextmanager
async def own_kafka(folder: Path) -> AsyncIterator[Kafka]:
    """A broker that this test may stop and start."""
    server = Kafka(folder, durable=False, die_with_parent=True)
    await asyncio.to_thread(server.start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.kill)


async def test_a_broker_that_goes_away_and_comes_back_loses_nothing(
    make_runtime: MakeRuntime, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proforma.kafka.producer._SEND_S", 2)
    async with own_kafka(tmp_path / "kafka") as server:
        runtime = await make_runtime("probe", kafka=server.bootstrap)
        await create_topics(KafkaAccess(server.bootstrap, topic_prefix), [Topic("probe.things", 1)])
        worker = Worker(runtime, SERVICE.work(runtime))
        async with running(worker, patience_s=40):
            await emit(runtime, Told(name="a", value="0"))
            await eventually(lambda: value(runtime, "select count(*) = 1 from effects"))

            await asyncio.to_thread(server.kill)
            await emit(runtime, *(Told(name="a", value=str(number)) for number in range(1, 20)))

            async def noticed() -> bool:
                return "relay" in worker.problems()

            await eventually(noticed, limit_s=30)
            assert not await all_sent(runtime)

            port = int(server.bootstrap.rpartition(":")[2])
            server.wanted_port = port
            await asyncio.to_thread(server.start)
            await eventually(lambda: value(runtime, "select count(*) = 20 from effects"), limit_s=60)
            await eventually(lambda: all_sent(runtime))
    assert await value(runtime, "select count(*) from dead_letters") == 0
