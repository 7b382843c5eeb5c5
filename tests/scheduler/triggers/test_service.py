"""Publication: each due row once, oldest first, whoever publishes."""

import asyncio
from collections import defaultdict
from datetime import date, datetime, timedelta
from functools import partial

import asyncpg
import pytest

from proforma.clock import SetClock
from proforma.db import execute, fetch_value
from proforma.runtime import Runtime
from scheduler.loop import publish_turn, publish_when_due
from scheduler.triggers import service
from scheduler.worker import HANDLERS
from tests.conftest import MakeRuntime
from tests.scheduler.calendars import TODAY, Line, statuses
from tests.support.events import deliver, outbox_of
from tests.support.rows import value
from tests.support.waits import eventually
from tests.support.zones import ZONES, changes_of, first_instant


@pytest.fixture
async def runtime(make_runtime: MakeRuntime) -> Runtime:
    return await make_runtime("scheduler")


async def published(runtime: Runtime) -> list[tuple[str, str]]:
    """(contract line, run date) of every RunDue, in the order of their sending."""
    return [(sent.body["contract_line_id"], sent.body["run_date"]) for sent in await outbox_of(runtime)]


async def test_the_event_says_what_billing_backlog_needs(runtime: Runtime) -> None:
    line = Line()
    said = line.changed(4, [TODAY])
    await deliver(runtime, HANDLERS, said)
    await publish_turn(runtime)
    (sent,) = await outbox_of(runtime)
    assert (sent.type, sent.key) == ("proforma.scheduler.run.due.v1", str(line.contract_id))
    assert sent.body == {
        "contract_id": str(line.contract_id),
        "contract_line_id": str(line.id),
        "run_date": "2026-03-02",
        "row_id": str(said.rows[0].id),
        "schedule_version": 4,
    }


async def test_oldest_first_in_batches(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("scheduler", limits={"batch_max": 3})
    lines = [Line(), Line("America/New_York"), Line("Asia/Tokyo")]
    days = [date(2026, 2, 27), date(2026, 2, 25), date(2026, 2, 26)]
    await deliver(runtime, HANDLERS, *[line.changed(1, days) for line in lines])
    turns = 0
    while await publish_turn(runtime) is not None:
        turns += 1
    assert turns == 3
    assert [day for _, day in await published(runtime)] == [
        *["2026-02-25"] * 3,
        *["2026-02-26"] * 3,
        *["2026-02-27"] * 3,
    ]


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("Pacific/Auckland", date(2026, 4, 5), "2026-04-04T11:00:00Z"),
        ("America/Los_Angeles", date(2026, 3, 9), "2026-03-09T07:00:00Z"),
        ("Europe/Berlin", date(2026, 3, 30), "2026-03-29T22:00:00Z"),
        ("Asia/Beirut", date(2026, 3, 29), "2026-03-28T22:00:00Z"),
        ("Asia/Kolkata", date(2026, 3, 3), "2026-03-02T18:30:00Z"),
    ],
)
async def test_a_day_is_due_when_it_begins_in_the_contracts_zone(
    runtime: Runtime, clock: SetClock, zone: str, day: date, begins: str
) -> None:
    line, moment = Line(zone), datetime.fromisoformat(begins)
    await deliver(runtime, HANDLERS, line.changed(1, [day]))
    clock.set(moment - timedelta(microseconds=1))
    assert await publish_turn(runtime) == moment
    assert await statuses(runtime, line) == {day: "upcoming"}
    clock.set(moment)
    await publish_turn(runtime)
    assert await statuses(runtime, line) == {day: "published"}


async def test_forty_zones_across_both_changes_of_the_clocks_are_published_to_the_microsecond(
    runtime: Runtime, clock: SetClock
) -> None:
    """A microsecond before a day begins somewhere nothing of it is published; at its first instant all of it is."""
    lines = {zone: Line(zone) for zone in ZONES}
    days = {
        zone: [
            change + timedelta(days=n) for change in changes_of(zone, 2026) or [date(2026, 6, 1)] for n in (-1, 0, 1)
        ]
        for zone in ZONES
    }
    clock.set(datetime.fromisoformat("2025-12-30T00:00:00Z"))
    await deliver(runtime, HANDLERS, *[lines[zone].changed(1, days[zone]) for zone in ZONES])
    begins: dict[datetime, list[tuple[str, str]]] = defaultdict(list)
    for zone in ZONES:
        for day in days[zone]:
            begins[first_instant(day, zone)].append((str(lines[zone].id), str(day)))
    sent = 0
    for moment in sorted(begins):
        clock.set(moment - timedelta(microseconds=1))
        assert await publish_turn(runtime) == moment
        clock.set(moment)
        await publish_turn(runtime)
        sent += len(begins[moment])
        assert await value(runtime, "select count(*) from outbox") == sent
    assert sorted(await published(runtime)) == sorted(one for due in begins.values() for one in due)
    assert sent > 180


async def publish_and_crash(runtime: Runtime) -> None:
    """Ends between the publication and its commit."""
    async with runtime.database.transaction() as session:
        assert await service.publish_due(session, runtime.context()) == 1
        raise RuntimeError("power cut")


async def test_a_crash_before_the_commit_publishes_nothing_and_the_next_turn_does(runtime: Runtime) -> None:
    line = Line()
    await deliver(runtime, HANDLERS, line.changed(1, [TODAY]))
    with pytest.raises(RuntimeError, match="power cut"):
        await publish_and_crash(runtime)
    assert await outbox_of(runtime) == []
    assert await statuses(runtime, line) == {TODAY: "upcoming"}
    await publish_turn(runtime)
    await publish_turn(runtime)
    assert len(await outbox_of(runtime)) == 1


async def test_without_the_lock_two_publishers_still_publish_each_row_once(runtime: Runtime) -> None:
    """The lock saves work; the status is what counts."""
    await deliver(runtime, HANDLERS, *[Line().changed(1, [TODAY]) for _ in range(20)])

    async def publish() -> int:
        async with runtime.database.transaction() as session:
            count = await service.publish_due(session, runtime.context())
            await asyncio.sleep(0)
            return count

    counts = await asyncio.gather(publish(), publish(), publish())
    assert sum(counts) == 20
    assert len(await published(runtime)) == len(set(await published(runtime))) == 20


async def test_one_process_works_at_a_time(runtime: Runtime, clock: SetClock) -> None:
    await deliver(runtime, HANDLERS, Line().changed(1, [TODAY]))
    async with runtime.database.transaction() as session:
        assert await service.may_publish(session)
        assert await publish_turn(runtime) == clock.now() + timedelta(seconds=1)
        assert await outbox_of(runtime) == []
    await publish_turn(runtime)
    assert len(await outbox_of(runtime)) == 1


async def test_a_row_that_is_being_changed_is_left_to_the_change(runtime: Runtime, clock: SetClock) -> None:
    line = Line()
    await deliver(runtime, HANDLERS, line.changed(1, [TODAY]))
    async with runtime.database.transaction() as session:
        await execute(session, "select id from triggers for update")
        assert await publish_turn(runtime) == clock.now() + timedelta(seconds=1)
    assert await outbox_of(runtime) == []
    await publish_turn(runtime)
    assert len(await outbox_of(runtime)) == 1


async def test_the_unique_key_holds_in_the_database(runtime: Runtime) -> None:
    line = Line()
    await deliver(runtime, HANDLERS, line.changed(1, [TODAY]))
    columns = "schedule_id, schedule_version, contract_id, contract_line_id, row_id, run_date, cut_off, due_at, status"
    rest = "version, created_at, created_by, updated_at"
    with pytest.raises(asyncpg.UniqueViolationError):
        async with runtime.database.transaction() as session:
            await execute(
                session,
                f"insert into triggers (id, {columns}, {rest})"
                f" select gen_random_uuid(), {columns}, {rest} from triggers",
            )


async def test_two_loops_wake_at_the_day_and_publish_once(runtime: Runtime, clock: SetClock) -> None:
    """Both sleep until the clock and a schedule wake them; neither polls."""
    stop = asyncio.Event()
    first, second = Line(), Line()
    await deliver(runtime, HANDLERS, first.changed(1, [TODAY + timedelta(days=1)]))
    loops = [asyncio.create_task(publish_when_due(runtime, stop)) for _ in range(2)]
    try:
        await eventually(partial(_listeners, runtime, 2))
        clock.advance(timedelta(days=1))
        await deliver(runtime, HANDLERS, second.changed(1, [TODAY, TODAY + timedelta(days=9)]))
        await eventually(partial(_published, runtime, 2))
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await asyncio.gather(*loops)
    # A loop whose first look came late may have found the first line due before the second one came.
    assert sorted(await published(runtime)) == sorted([(str(second.id), "2026-03-02"), (str(first.id), "2026-03-03")])


async def test_a_loop_finds_its_way_back_when_its_connection_is_cut(runtime: Runtime, clock: SetClock) -> None:
    stop = asyncio.Event()
    loop = asyncio.create_task(publish_when_due(runtime, stop))
    try:
        await eventually(partial(_listeners, runtime, 1))
        async with runtime.database.transaction() as session:
            await execute(
                session,
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where query ilike 'listen%' and datname = current_database()",
            )
        await deliver(runtime, HANDLERS, Line().changed(1, [TODAY]))
        await eventually(partial(_published, runtime, 1))
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await loop


async def _listeners(runtime: Runtime, wanted: int) -> bool:
    async with runtime.database.transaction() as session:
        found = await fetch_value(
            session,
            "select count(*) from pg_stat_activity where query ilike 'listen%' and state = 'idle'"
            " and datname = current_database()",
        )
    return bool(found == wanted)


async def _published(runtime: Runtime, wanted: int) -> bool:
    return len(await outbox_of(runtime)) == wanted
