"""The gauges: what is owed and held, as operators see it."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest
from prometheus_client import REGISTRY

from proforma.clock import SetClock
from proforma.db import execute, fetch
from proforma.runtime import Runtime
from scheduler.days import queries
from scheduler.days.service import measure
from scheduler.loop import measure_regularly, publish_turn
from scheduler.pauses import service as pauses
from scheduler.worker import HANDLERS
from tests.conftest import MakeRuntime
from tests.scheduler.calendars import TODAY, Line, noon
from tests.support.databases import Databases
from tests.support.events import deliver
from tests.support.rows import change, value
from tests.support.waits import eventually

DAYS = [TODAY + timedelta(days=n) for n in range(-2, 3)]


@pytest.fixture
async def runtime(make_runtime: MakeRuntime) -> Runtime:
    return await make_runtime("scheduler")


def shown(name: str) -> float:
    found = REGISTRY.get_sample_value(f"proforma_scheduler_{name}")
    assert found is not None
    return found


async def gauges(runtime: Runtime) -> tuple[float, float, float]:
    """(oldest due row in seconds, days owed, held triggers)."""
    async with runtime.database.transaction() as session:
        await measure(session, runtime.context())
    return shown("oldest_due_seconds"), shown("days_owed"), shown("held_triggers")


async def test_gauges_say_what_is_owed_and_held(runtime: Runtime, clock: SetClock) -> None:
    assert await gauges(runtime) == (0, 0, 0)
    lines = [Line(), Line()]
    await deliver(runtime, HANDLERS, *[line.changed(1, DAYS[1:]) for line in lines])
    assert await gauges(runtime) == (33 * 3600, 2, 0)
    async with runtime.database.transaction() as session:
        await pauses.pause(session, runtime.context("ann"), lines[0].schedule_id, None, None)
    assert await gauges(runtime) == (33 * 3600, 2, 2)
    before = shown("published_total")
    await publish_turn(runtime)
    assert await gauges(runtime) == (0, 0, 2)
    assert shown("published_total") == before + 2
    clock.set(noon(DAYS[3]))
    assert await gauges(runtime) == (12 * 3600, 1, 3)
    async with runtime.database.transaction() as session:
        await pauses.resume(session, runtime.context("ann"), lines[0].schedule_id, None, None)
    assert await gauges(runtime) == (12 * 3600, 1, 0)
    assert shown("published_total") == before + 3


async def test_measuring_reads_what_is_owed_and_held_only(runtime: Runtime, databases: Databases) -> None:
    """However much was published before: neither index holds it."""
    await deliver(runtime, HANDLERS, *[Line().changed(1, [TODAY]) for _ in range(600)])
    await publish_turn(runtime)
    # What the planner knows of a table that others had before is chance.
    operator = await databases.superuser(await value(runtime, "select current_database()"))
    await operator.execute("vacuum analyze triggers")
    await operator.close()
    async with runtime.database.transaction() as session:
        await execute(session, "set local enable_seqscan = off")
        for sql, index in ((queries.OWED, "triggers_due_idx"), (queries.HELD, "triggers_held_idx")):
            plan = "\n".join(row[0] for row in await fetch(session, f"explain {sql}", runtime.clock.now()))
            assert index in plan


async def test_the_loop_measures_until_it_is_stopped(runtime: Runtime) -> None:
    await deliver(runtime, HANDLERS, Line().changed(1, DAYS[:3]))
    stop = asyncio.Event()
    await gauges(runtime)
    await change(runtime, "update triggers set held = true")
    measuring = asyncio.create_task(measure_regularly(runtime, stop))
    try:
        await eventually(partial(_is, "held_triggers", 3))
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await measuring
    assert shown("days_owed") == 0


async def _is(name: str, wanted: float) -> bool:
    return shown(name) == wanted
