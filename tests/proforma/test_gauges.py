"""The gauges say what is so, and fall when it is over."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY, Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from proforma import dead_letters, job_lists, jobs, outbox
from proforma.clock import SetClock
from proforma.consumer import BatchConsumer
from proforma.context import Context
from proforma.db import fetch_value
from proforma.envelope import Message
from proforma.handlers import Handler, Handlers
from proforma.jobs import Job, JobRunner, Step
from proforma.kafka.consumer import Consumer
from proforma.runtime import Runtime
from proforma.sums import Sums, SumsTaker
from proforma.worker import Work, Worker
from tests.conftest import MakeApi, MakeRuntime, MakeTopics
from tests.support.events import DeadLettered, deliver, record_of
from tests.support.kafka import Broker
from tests.support.probe import HANDLERS, Told, write_effects
from tests.support.rows import change
from tests.support.waits import eventually, running


def gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"proforma_{name}", labels)


async def test_the_outbox_by_count_and_age(make_runtime: MakeRuntime, clock: SetClock) -> None:
    runtime = await make_runtime("probe")

    async def measured() -> tuple[float | None, float | None]:
        async with runtime.database.transaction() as session:
            await outbox.measure(session, runtime.context())
        return gauge("outbox_pending"), gauge("outbox_oldest_seconds")

    assert await measured() == (0, 0)
    for _ in range(2):
        async with runtime.database.transaction() as session:
            await outbox.emit(session, runtime.context(), [Told(name="k", value="1")])
        clock.advance(timedelta(seconds=90))
    assert await measured() == (2, 180)
    await change(runtime, "update outbox set published = true, published_at = now() where id = 1")
    assert await measured() == (1, 90)


async def test_dead_letters_by_topic(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")

    async def measured() -> float | None:
        async with runtime.database.transaction() as session:
            await dead_letters.measure(session)
        return gauge("dead_letters", topic="probe.things")

    for number in range(2):
        with pytest.raises(DeadLettered):
            await deliver(runtime, HANDLERS, record_of(Told(name="k", value="poison"), UUID(int=number + 1)))
    assert await measured() == 2
    await change(runtime, "update dead_letters set status = 'dropped'")
    assert await measured() is None


class Counting:
    """A job of a known number of things, one a step."""

    name = "counting"

    async def plan(self, _: AsyncSession, __: Context, ___: Job) -> int | None:
        return 3

    async def step(self, _: AsyncSession, __: Context, job: Job) -> Step:
        return Step(done=1, finished=job.done == 2)


async def test_jobs_by_state_and_how_far_they_are(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    for kind in ("counting", "counting", "unknown"):
        async with runtime.database.transaction() as session:
            await jobs.start(session, runtime.context("ada"), kind, {})
    await change(runtime, "update jobs set status = 'running', planned = true, total = 3, done = 1 where id = ("
                 "select id from jobs where kind = 'counting' order by id limit 1)")  # fmt: skip
    # One whose total nobody knows: it is not further than itself.
    await change(runtime, "update jobs set status = 'running', done = 5 where kind = 'unknown'")

    async def measured() -> dict[str, float | None]:
        async with runtime.database.transaction() as session:
            await job_lists.measure(session)
        return {
            "queued": gauge("jobs", kind="counting", status="queued"),
            "running": gauge("jobs", kind="counting", status="running"),
            "done": gauge("jobs_running_done", kind="counting"),
            "planned": gauge("jobs_running_planned", kind="counting"),
        }

    assert await measured() == {"queued": 1, "running": 1, "done": 1, "planned": 3}
    assert (gauge("jobs_running_done", kind="unknown"), gauge("jobs_running_planned", kind="unknown")) == (5, 5)
    ended = {one: gauge("jobs_ended_total", kind=one, status=how) or 0
             for one, how in (("counting", "succeeded"), ("unknown", "failed"))}  # fmt: skip
    runner = JobRunner(runtime.database, runtime.context(), [Counting()])
    while await runner.run_next(asyncio.Event()):
        pass
    assert await measured() == {"queued": None, "running": None, "done": None, "planned": None}
    assert gauge("jobs_ended_total", kind="counting", status="succeeded") == ended["counting"] + 2
    assert gauge("jobs_ended_total", kind="unknown", status="failed") == ended["unknown"] + 1


def lag(partition: int) -> float | None:
    return gauge("consumer_lag", topic="probe.things", partition=str(partition))


async def test_the_lag_is_the_brokers_and_grows_while_a_handler_is_stuck(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things", partitions=2)
    gate, begun = asyncio.Event(), asyncio.Event()

    async def stuck(session: AsyncSession, context: Context, messages: Sequence[Message[Told]]) -> None:
        begun.set()
        await gate.wait()
        await write_effects(session, context, messages)

    worker = Worker(runtime, Work(Handlers(Handler(Told, stuck))))
    consumer = worker.consumer
    assert consumer is not None

    async def lags(*wanted: float | None) -> bool:
        await consumer.measure_lag()
        return [lag(0), lag(1)] == list(wanted)

    async with running(consumer):
        await eventually(lambda: lags(0, 0))
        await broker.send(*(record_of(Told(name="k", value="1"), partition=0) for _ in range(5)))
        await begun.wait()
        await eventually(lambda: lags(5, 0))
        await broker.send(*(record_of(Told(name="k", value="1"), partition=number) for number in (0, 1)))
        await eventually(lambda: lags(6, 1))
        gate.set()
        await eventually(lambda: lags(0, 0))
    # Whoever left the group knows nothing any more.
    assert (lag(0), lag(1)) == (None, None)
    await consumer.measure_lag()


async def test_a_broker_that_does_not_answer_leaves_the_lag_and_the_worker_alone(
    make_runtime: MakeRuntime, make_topics: MakeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things", partitions=1)
    consumer = Worker(runtime, Work(HANDLERS)).consumer
    assert consumer is not None

    async def measured() -> bool:
        await consumer.measure_lag()
        return lag(0) == 0

    async def silent(_: Consumer, __: object) -> dict[Any, int]:
        raise TimeoutError

    async with running(consumer):
        await eventually(measured)
        monkeypatch.setattr(Consumer, "end_offsets", silent)
        await consumer.measure_lag()
        assert lag(0) == 0


async def test_a_worker_measures_all_of_it(
    make_runtime: MakeRuntime, make_topics: MakeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One turn of its house-keeping calls every measure, its own sums too once it leads."""
    runtime = await make_runtime("probe")
    await make_topics("probe.things", partitions=1)
    monkeypatch.setattr("proforma.worker._KEEP_HOUSE_S", 0.05)
    seen: list[str] = []

    def noted(name: str) -> Any:
        async def note(*_: object) -> None:
            seen.append(name)

        return note

    monkeypatch.setattr(outbox, "measure", noted("outbox"))
    monkeypatch.setattr(dead_letters, "measure", noted("dead_letters"))
    monkeypatch.setattr(job_lists, "measure", noted("jobs"))
    monkeypatch.setattr(BatchConsumer, "measure_lag", noted("lag"))
    async with running(Worker(runtime, Work(HANDLERS, sums=[Sums((), noted("sums"))]))):

        async def all_of_it() -> bool:
            return set(seen) == {"outbox", "dead_letters", "jobs", "lag", "sums"}

        await eventually(all_of_it)


SUMMED = Gauge("proforma_test_sum", "Of a test", ["kind"])


async def test_sums_are_taken_by_the_leader_once_a_minute(
    make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = await make_runtime("probe")
    now = 1000.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now, raising=False)
    taken: list[float] = []

    async def take(session: AsyncSession) -> None:
        nonlocal now
        taken.append(now)
        SUMMED.labels("x").set(await fetch_value(session, "select 7"))
        now += 3  # as long as it takes

    taker = SumsTaker(runtime.database, [Sums([SUMMED], take)])

    def shown() -> float | None:
        return REGISTRY.get_sample_value("proforma_test_sum", {"kind": "x"})

    await taker.take(leading=False)
    assert (taken, shown()) == ([], None)
    await taker.take(leading=True)
    await taker.take(leading=True)
    assert (taken, shown()) == ([1000], 7)
    # Three seconds of work are followed by fifty times as much rest, not by a minute.
    now = 1003 + 149.0
    await taker.take(leading=True)
    assert taken == [1000]
    now = 1003 + 150.0
    await taker.take(leading=True)
    assert taken == [1000, 1153]
    await taker.take(leading=False)
    assert shown() is None


async def test_the_pool_is_measured_at_the_scrape(api: MakeApi) -> None:
    client = await api("probe")
    runtime: Runtime = client.runtime
    async with runtime.database.transaction() as session:
        await fetch_value(session, "select 1")
        await client.with_token(None).get("/metrics")
        assert (gauge("database_pool_in_use"), gauge("database_pool_max")) == (1, 8)
    await client.with_token(None).get("/metrics")
    assert gauge("database_pool_in_use") == 0


async def test_a_repeat_is_counted_as_one(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    labels = {"topic": "probe.things", "type": Told.TYPE, "outcome": "repeated"}
    before = REGISTRY.get_sample_value("proforma_messages_total", labels) or 0
    one = record_of(Told(name="k", value="1"), uuid4())
    await deliver(runtime, HANDLERS, one, one)
    assert REGISTRY.get_sample_value("proforma_messages_total", labels) == before + 1
