"""The inbox: two with the same event meet at its key."""

import asyncio
from datetime import timedelta
from uuid import uuid4

from proforma import inbox
from proforma.clock import SetClock
from tests.conftest import MakeRuntime
from tests.support.rows import locks_awaited, rows


async def test_of_two_transactions_at_once_the_second_waits_and_finds_the_work_done(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    now, event = runtime.clock.now(), uuid4()

    async def second() -> set[object]:
        async with runtime.database.transaction() as session:
            return set(await inbox.first_time(session, "group", [event], now))

    async with runtime.database.transaction() as session:
        assert await inbox.first_time(session, "group", [event], now) == {event}
        waiting = asyncio.create_task(second())
        await locks_awaited(runtime)
        assert not waiting.done()
    assert await waiting == set()


async def test_when_the_first_one_fails_the_second_does_the_work(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    now, event = runtime.clock.now(), uuid4()

    async def second() -> set[object]:
        async with runtime.database.transaction() as session:
            return set(await inbox.first_time(session, "group", [event], now))

    async with runtime.database.transaction() as session:
        await inbox.first_time(session, "group", [event], now)
        waiting = asyncio.create_task(second())
        await locks_awaited(runtime)
        await session.rollback()
    assert await waiting == {event}


async def test_ids_go_in_in_one_order_whatever_order_they_come_in(make_runtime: MakeRuntime) -> None:
    """Two with the same events in other orders would each hold what the other waits for."""
    runtime = await make_runtime("probe")
    events = sorted(uuid4() for _ in range(50))
    for number, given in enumerate((events, events[::-1], [*events[25:], *events[:25]])):
        async with runtime.database.transaction() as session:
            await inbox.first_time(session, f"group {number}", given, runtime.clock.now())
        # Where a row lies tells when it was written.
        written = "select event_id from inbox where consumer = $1 order by ctid"
        assert [row["event_id"] for row in await rows(runtime, written, f"group {number}")] == events


async def test_each_consumer_handles_an_event_for_itself(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    event = uuid4()
    async with runtime.database.transaction() as session:
        assert await inbox.first_time(session, "one", [event, event], runtime.clock.now()) == {event}
        assert await inbox.first_time(session, "two", [event], runtime.clock.now()) == {event}
        assert await inbox.first_time(session, "one", [event], runtime.clock.now()) == set()


async def test_only_what_is_older_than_any_topic_keeps_it_is_purged(make_runtime: MakeRuntime, clock: SetClock) -> None:
    runtime = await make_runtime("probe")
    old, young = uuid4(), uuid4()
    async with runtime.database.transaction() as session:
        await inbox.first_time(session, "group", [old], clock.now() - timedelta(days=31))
        await inbox.first_time(session, "group", [young], clock.now() - timedelta(days=29))
        assert await inbox.purge(session, clock.now(), 30) == 1
    assert [row["event_id"] for row in await rows(runtime, "select event_id from inbox")] == [young]
