"""Days that were missed are made up for, oldest first, whoever comes back."""

import asyncio
import random
from datetime import date, datetime, timedelta

from proforma.clock import SetClock, day_begins
from proforma.runtime import Runtime
from scheduler.loop import publish_turn, publish_when_due
from scheduler.worker import HANDLERS
from tests.conftest import MakeRuntime
from tests.scheduler.calendars import TODAY, Line, noon
from tests.support.events import deliver, outbox_of
from tests.support.waits import eventually

ZONES = ("UTC", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kolkata")


async def published(runtime: Runtime) -> list[tuple[str, date]]:
    """(contract line, run date) in the order of their publication."""
    sent = await outbox_of(runtime)
    return [(one.body["contract_line_id"], date.fromisoformat(one.body["run_date"])) for one in sent]


async def turns(runtime: Runtime) -> None:
    """As the loop, until there is nothing to do now."""
    while (following := await publish_turn(runtime)) is not None and following <= runtime.clock.now():
        pass


async def test_days_that_were_missed_come_oldest_first_and_once(make_runtime: MakeRuntime, clock: SetClock) -> None:
    runtime = await make_runtime("scheduler", limits={"batch_max": 7})
    chance = random.Random(1)
    lines = [Line(zone) for zone in ZONES for _ in range(3)]
    days = {line: chance.sample([TODAY + timedelta(days=n) for n in range(1, 40)], 8) for line in lines}
    await deliver(runtime, HANDLERS, *[line.changed(1, days[line]) for line in lines])
    await turns(runtime)
    assert await published(runtime) == []
    clock.set(noon(TODAY + timedelta(days=25)))
    await turns(runtime)
    due = [(day_begins(day, line.zone), str(line.id), day) for line in lines for day in days[line]]
    missed = [one for one in due if one[0] <= clock.now()]
    found = await published(runtime)
    assert sorted(found) == sorted((line, day) for _, line, day in missed)
    begins = {(line, day): at for at, line, day in due}
    assert [begins[one] for one in found] == sorted(at for at, _, _ in missed)
    await turns(runtime)
    assert await published(runtime) == found
    clock.set(noon(TODAY + timedelta(days=60)))
    await turns(runtime)
    assert sorted(await published(runtime)) == sorted((line, day) for _, line, day in due)


async def test_rows_that_come_late_with_a_past_date_come_before_today(
    make_runtime: MakeRuntime, clock: SetClock
) -> None:
    runtime = await make_runtime("scheduler", limits={"batch_max": 2})
    late, usual = Line(), Line()
    await deliver(runtime, HANDLERS, usual.changed(1, [TODAY]))
    await deliver(runtime, HANDLERS, late.changed(1, [date(2026, 1, 31), date(2024, 2, 29), date(2025, 12, 31)]))
    await turns(runtime)
    assert [day for _, day in await published(runtime)] == [
        date(2024, 2, 29), date(2025, 12, 31), date(2026, 1, 31), TODAY
    ]  # fmt: skip


async def test_a_loop_that_comes_back_after_a_month_makes_up_for_it_at_once(
    make_runtime: MakeRuntime, clock: SetClock
) -> None:
    """Nobody wakes it: it looks before it sleeps, and after each batch again."""
    runtime = await make_runtime("scheduler", limits={"batch_max": 5})
    await deliver(runtime, HANDLERS, Line().changed(1, [TODAY + timedelta(days=n) for n in range(1, 32)]))
    clock.set(datetime.fromisoformat("2026-04-15T12:00:00Z"))
    stop = asyncio.Event()
    loop = asyncio.create_task(publish_when_due(runtime, stop))

    async def all_published() -> bool:
        return len(await published(runtime)) == 31

    try:
        await eventually(all_published)
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await loop
    assert [day for _, day in await published(runtime)] == [TODAY + timedelta(days=n) for n in range(1, 32)]
