"""Loops that sleep until something is due."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from proforma.clock import SetClock
from proforma.db import execute
from proforma.runtime import Runtime
from proforma.timetable import NAP_MAX, nap, run_when_due
from tests.conftest import MakeRuntime
from tests.support.databases import Databases
from tests.support.rows import value
from tests.support.waits import eventually

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("due", "seconds"),
    [
        (None, 60),
        (NOW, 0),
        (NOW - timedelta(days=1), 0),
        (NOW + timedelta(seconds=7), 7),
        (NOW + timedelta(hours=1), 60),
    ],
)
def test_a_nap_ends_when_something_is_due_and_after_a_minute_at_most(due: datetime | None, seconds: int) -> None:
    assert nap(NOW, due) == timedelta(seconds=seconds)
    assert timedelta(seconds=60) == NAP_MAX


class Turns:
    """Counts turns; what is due next is what the test says."""

    def __init__(self) -> None:
        self.taken = 0
        self.next_due: datetime | None = None

    async def __call__(self, _: Runtime) -> datetime | None:
        self.taken += 1
        return self.next_due

    async def more_than(self, count: int) -> bool:
        return self.taken > count


async def stopped(stop: asyncio.Event, *tasks: asyncio.Task[None]) -> None:
    stop.set()
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks)


async def test_a_notify_ends_the_nap(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    turns, stop = Turns(), asyncio.Event()
    running = asyncio.create_task(run_when_due(runtime, stop, "things", turns))
    await eventually(lambda: turns.more_than(0))
    async with runtime.database.transaction() as session:
        await execute(session, "notify things")
    await eventually(lambda: turns.more_than(1), limit_s=5)
    await stopped(stop, running)


async def test_what_is_due_is_done_when_it_is(make_runtime: MakeRuntime, clock: SetClock) -> None:
    runtime = await make_runtime("probe")
    turns, stop = Turns(), asyncio.Event()
    turns.next_due = clock.now() + timedelta(seconds=1)
    running = asyncio.create_task(run_when_due(runtime, stop, "things", turns))
    await eventually(lambda: turns.more_than(1), limit_s=5)
    await stopped(stop, running)


async def test_a_lost_connection_is_made_again(make_runtime: MakeRuntime, databases: Databases) -> None:
    runtime = await make_runtime("probe")
    name = await value(runtime, "select current_database()")
    turns, stop = Turns(), asyncio.Event()
    running = asyncio.create_task(run_when_due(runtime, stop, "things", turns))
    await eventually(lambda: turns.more_than(0))
    await databases.close(name)
    before = turns.taken
    await databases.open(name)
    await eventually(lambda: turns.more_than(before), limit_s=15)
    async with runtime.database.transaction() as session:
        await execute(session, "notify things")
    await eventually(lambda: turns.more_than(before + 1), limit_s=5)
    await stopped(stop, running)
