"""Pausing and resuming while the publisher and a change of the schedule are under way."""

import asyncio
import random
from datetime import date, timedelta

import pytest

from proforma.clock import SetClock
from proforma.errors import Stale
from proforma.runtime import Runtime
from scheduler.loop import publish_turn
from scheduler.pauses import service
from scheduler.schedules import service as schedules
from scheduler.triggers.service import publish_due
from scheduler.worker import HANDLERS
from tests.conftest import MakeRuntime
from tests.scheduler.calendars import TODAY, Line, noon, row, statuses
from tests.support.events import deliver, outbox_of
from tests.support.rows import locks_awaited, rows

TOMORROW = TODAY + timedelta(days=1)


@pytest.fixture
async def runtime(make_runtime: MakeRuntime) -> Runtime:
    return await make_runtime("scheduler")


async def pause(runtime: Runtime, line: Line) -> None:
    async with runtime.database.transaction() as session:
        await service.pause(session, runtime.context("ann"), line.schedule_id, None, None)


async def resume(runtime: Runtime, line: Line) -> None:
    async with runtime.database.transaction() as session:
        await service.resume(session, runtime.context("ann"), line.schedule_id, None, None)


async def test_a_pause_waits_for_a_publication_under_way_and_leaves_it(runtime: Runtime) -> None:
    line = Line()
    await deliver(runtime, HANDLERS, line.changed(1, [TODAY, TOMORROW]))
    async with runtime.database.transaction() as session:
        assert await publish_due(session, runtime.context()) == 1
        pausing = asyncio.create_task(pause(runtime, line))
        await locks_awaited(runtime)
    await pausing
    await resume(runtime, line)
    assert await statuses(runtime, line) == {TODAY: "published", TOMORROW: "upcoming"}
    assert len(await outbox_of(runtime)) == 1


async def test_the_publisher_leaves_what_is_being_paused(runtime: Runtime, clock: SetClock) -> None:
    line = Line()
    await deliver(runtime, HANDLERS, line.changed(1, [TODAY]))
    async with runtime.database.transaction() as session:
        await service.pause(session, runtime.context("ann"), line.schedule_id, None, None)
        assert await publish_turn(runtime) == clock.now() + timedelta(seconds=1)
    assert await publish_turn(runtime) is None
    assert await outbox_of(runtime) == []


async def test_a_change_that_is_under_way_is_paused_too(runtime: Runtime) -> None:
    """The change has inserted rows that the pause cannot see until it has the schedule's lock."""
    line = Line()
    await deliver(runtime, HANDLERS, line.changed(1, []))
    async with runtime.database.transaction() as session:
        await schedules.take(session, runtime.context(), [line.changed(2, [TODAY])])
        pausing = asyncio.create_task(pause(runtime, line))
        await locks_awaited(runtime)
    await pausing
    await publish_turn(runtime)
    assert await outbox_of(runtime) == []


async def test_a_change_that_waits_for_a_pause_keeps_it(runtime: Runtime) -> None:
    line = Line()
    await deliver(runtime, HANDLERS, line.changed(1, []))
    async with runtime.database.transaction() as session:
        await service.pause(session, runtime.context("ann"), line.schedule_id, None, None)
        changing = asyncio.create_task(deliver(runtime, HANDLERS, line.changed(2, [TODAY])))
        await locks_awaited(runtime)
    await changing
    await publish_turn(runtime)
    assert await outbox_of(runtime) == []


async def test_two_who_resume_publish_once(runtime: Runtime, clock: SetClock) -> None:
    line = Line()
    await deliver(runtime, HANDLERS, line.changed(1, [TODAY, TOMORROW]))
    await pause(runtime, line)
    clock.set(noon(TOMORROW))
    await asyncio.gather(*(resume(runtime, line) for _ in range(4)), publish_turn(runtime))
    assert [sent.body["run_date"] for sent in await outbox_of(runtime)] == [str(TOMORROW)]
    assert await statuses(runtime, line) == {TODAY: "superseded", TOMORROW: "published"}


async def test_of_two_who_read_the_same_version_one_is_stale(runtime: Runtime) -> None:
    """Each decides by what it reads under the lock, not by what it read before it waited."""
    line = Line()
    await deliver(runtime, HANDLERS, line.changed(1, [TOMORROW]))

    async def pause_first_version() -> None:
        async with runtime.database.transaction() as session:
            await service.pause(session, runtime.context("ben"), line.schedule_id, 1, None)

    async with runtime.database.transaction() as session:
        await service.pause(session, runtime.context("ann"), line.schedule_id, 1, None)
        second, third = asyncio.create_task(pause_first_version()), asyncio.create_task(pause(runtime, line))
        await locks_awaited(runtime, 2)
    with pytest.raises(Stale):
        await second
    await third
    assert [one["by"] for one in await rows(runtime, "select by from schedule_history")] == ["ann"]


async def test_resuming_wakes_the_publisher_for_what_is_next(runtime: Runtime) -> None:
    woken = asyncio.Event()
    line = Line()
    await deliver(runtime, HANDLERS, line.changed(1, [TOMORROW]))
    await pause(runtime, line)
    assert await publish_turn(runtime) is None
    connection = await runtime.database.connect()
    try:
        await connection.add_listener("triggers", lambda *_: woken.set())
        await resume(runtime, line)
        async with asyncio.timeout(10):
            await woken.wait()
    finally:
        await connection.close()
    assert await publish_turn(runtime) == noon(TOMORROW) - timedelta(hours=12)


@pytest.mark.parametrize("seed", range(3))
async def test_pauses_changes_and_turns_at_once_trigger_no_row_twice(
    runtime: Runtime, clock: SetClock, seed: int
) -> None:
    chance, line = random.Random(seed), Line()
    dates = [row(TODAY + timedelta(days=n)) for n in range(12)]
    await deliver(runtime, HANDLERS, line.changed(1, dates))
    for version in range(2, 14):
        clock.set(noon(TODAY + timedelta(days=version - 2)))
        work = [publish_turn(runtime), publish_turn(runtime), pause(runtime, line), resume(runtime, line),
                deliver(runtime, HANDLERS, line.changed(version, chance.sample(dates, 9)))]  # fmt: skip
        chance.shuffle(work)
        await asyncio.gather(*work)
    await resume(runtime, line)
    await deliver(runtime, HANDLERS, line.changed(99, dates))
    await publish_turn(runtime)
    sent = [date.fromisoformat(one.body["run_date"]) for one in await outbox_of(runtime)]
    found = await statuses(runtime, line)
    assert len(sent) == len(set(sent))
    assert set(sent) == {day for day, status in found.items() if status == "published"}
    assert set(found.values()) <= {"published", "superseded"}
