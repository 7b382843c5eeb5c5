"""The loop sleeps until the next due moment: it neither polls nor is it woken by anybody."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial

from proforma.clock import SystemClock
from proforma.runtime import Runtime
from proforma.timetable import run_when_due
from scheduler.loop import publish_turn
from scheduler.triggers.service import CHANNEL
from scheduler.worker import HANDLERS
from tests.conftest import MakeRuntime
from tests.scheduler.calendars import TODAY, Line
from tests.support.events import deliver
from tests.support.rows import value
from tests.support.waits import eventually

MIDNIGHT = datetime.combine(TODAY + timedelta(days=1), time.min, tzinfo=UTC)
TO_MIDNIGHT = timedelta(seconds=3)


class Ahead(SystemClock):
    """A clock that runs as any other, and begins three seconds before a midnight."""

    def __init__(self) -> None:
        self._ahead = MIDNIGHT - TO_MIDNIGHT - super().now()

    def now(self) -> datetime:
        return super().now() + self._ahead


async def test_it_wakes_by_itself_at_midnight_and_not_before(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("scheduler")
    await deliver(runtime, HANDLERS, *[Line().changed(1, [MIDNIGHT.date()]) for _ in range(3)])
    looked: list[datetime] = []

    async def turn(of: Runtime) -> datetime | None:
        looked.append(of.clock.now())
        return await publish_turn(of)

    stop = asyncio.Event()
    loop = asyncio.create_task(run_when_due(replace(runtime, clock=Ahead()), stop, CHANNEL, turn))
    try:
        await eventually(partial(value, runtime, "select count(*) = 3 from triggers where status = 'published'"))
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await loop
    before = [at for at in looked if at < MIDNIGHT]
    assert len(before) <= 2, "once to learn when it is due, and once more where the timer is a moment early"
    at = await value(runtime, "select max(published_at) from triggers")
    assert MIDNIGHT <= at < MIDNIGHT + timedelta(seconds=30), "long before the longest sleep is over"
