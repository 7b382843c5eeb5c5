"""A worker process: everything runs, it says what keeps it from its work, and it ends when asked."""

import asyncio
import signal
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from local.processes import free_port
from proforma import outbox
from proforma.clock import SetClock
from proforma.runtime import Runtime
from proforma.worker import Work, Worker, run_worker
from tests.conftest import MakeRuntime, MakeTopics
from tests.support.kafka import Broker
from tests.support.probe import HANDLERS, SERVICE, Told
from tests.support.processes import environment, process
from tests.support.rows import change, rows, value
from tests.support.waits import eventually, running


async def test_a_killed_worker_leaves_nothing_done_twice(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things")
    for number in range(200):
        async with runtime.database.transaction() as session:
            await outbox.emit(session, runtime.context(), [Told(name=f"k{number % 7}", value=str(number))])
    env = environment(runtime, PROFORMA_WORKER_PORT="0", PROFORMA_LIMITS__CONSUME_MESSAGES_MAX="3")
    async with process("tests.support.probe", "worker", env) as first:
        await eventually(lambda: value(runtime, "select count(*) between 20 and 180 from effects"), limit_s=40)
        await first.kill()
    async with running(Worker(runtime, SERVICE.work(runtime))):
        await eventually(lambda: value(runtime, "select count(*) = 200 from effects"), limit_s=40)
    assert len({row["value"] for row in await rows(runtime, "select value from effects")}) == 200
    assert await value(runtime, "select count(*) from dead_letters") == 0


async def test_health_says_what_keeps_it_from_its_work_and_a_signal_ends_it(
    make_runtime: MakeRuntime, make_topics: MakeTopics
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things")
    port = free_port()
    env = environment(runtime, PROFORMA_WORKER_PORT=str(port))
    async with process("tests.support.probe", "worker", env) as worker, httpx.AsyncClient() as client:

        async def ready() -> bool:
            try:
                return (await client.get(f"http://127.0.0.1:{port}/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(ready, limit_s=40)
        answer = await client.get(f"http://127.0.0.1:{port}/health/ready")
        assert answer.json() == {"status": "ready", "dependencies": {"database": "ok", "kafka": "ok"}}
        assert (await client.get(f"http://127.0.0.1:{port}/health/live")).json()["status"] == "live"
        metrics = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
        assert "proforma_outbox_leader 1.0" in metrics
        assert "proforma_outbox_pending 0.0" in metrics
        assert "proforma_database_pool_max 16.0" in metrics
        worker.send(signal.SIGTERM)
        assert await worker.ended(20) == 0


async def test_a_loop_that_dies_takes_the_worker_with_it(make_runtime: MakeRuntime) -> None:
    """A half-dead worker would look alive and do nothing."""
    runtime = await make_runtime("probe", worker_port=free_port())

    async def dies(_: Runtime, __: asyncio.Event) -> None:
        raise ValueError("a bug")

    with pytest.raises(ExceptionGroup) as ended:
        async with asyncio.timeout(30):
            await run_worker(runtime, Work(loops=[dies]))
    assert ended.group_contains(ValueError, match="a bug")


async def test_a_services_own_loop_runs_until_the_stop(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    turns: list[bool] = []
    begun = asyncio.Event()

    async def loop(of: Runtime, stop: asyncio.Event) -> None:
        turns.append(of is runtime)
        begun.set()
        await stop.wait()

    async with running(Worker(runtime, Work(loops=[loop]))):
        await begun.wait()
    assert turns == [True]


async def test_it_keeps_house(make_runtime: MakeRuntime, clock: SetClock) -> None:
    runtime = await make_runtime("probe")
    old = clock.now() - timedelta(days=40)
    await change(runtime, "insert into inbox select 'group', gen_random_uuid(), $1 from generate_series(1, 12000)", old)
    await change(
        runtime, "insert into idempotency_keys (principal, method, path, key, body_hash, created_at)"
        " values ('a', 'POST', '/', 'k', '', $1)", old,
    )  # fmt: skip
    await change(
        runtime, "insert into outbox (event_id, topic, type, key, body, created_at, published, published_at)"
        " values ($1, 't', 't', 'k', '{}', $2, true, $2)", uuid4(), old,
    )  # fmt: skip
    left = "select (select count(*) from inbox) + (select count(*) from idempotency_keys) + (select count(*) from outbox) = 0"  # noqa: E501
    async with running(Worker(runtime, Work())):
        await eventually(lambda: value(runtime, left))


async def test_a_worker_without_handlers_joins_no_group(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    assert Worker(runtime, Work()).consumer is None
    assert Worker(runtime, Work(HANDLERS)).consumer is not None
