"""The inbox: two with the same event meet at its key."""

import asyncio
from datetime import timedelta
from uuid import uuid4

from proforma import inbox
from proforma.clock import SetClock
from tests.conftest import MakeRuntime
from tests.support.rows import rows


async def test_of_two_transactions_at_once_the_second_waits_and_finds_the_work_done(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    now, event = runtime.clock.now(), uuid4()

    async def second() -> set[object]:
        async with runtime.database.transaction() as session:
            return set(await inbox.first_time(session, "group", [event], now))

    async with runtime.database.transaction() as session:
        assert await inbox.first_time(session, "group", [event], now) == {event}
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.2)
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
        await asyncio.sleep(0.2)
        await session.rollback()
    assert await waiting == {event}


async def test_two_that_hold_the_same_events_in_other_orders_do_not_wait_for_each_other(
    make_runtime: MakeRuntime,
) -> None:
    runtime = await make_runtime("probe")
    events = [uuid4() for _ in range(300)]

    async def take(ids: list[object]) -> int:
        async with runtime.database.transaction() as session:
            return len(await inbox.first_time(session, "group", ids, runtime.clock.now()))  # type: ignore[arg-type]

    for _ in range(5):
        batch = [uuid4() for _ in events]
        counts = await asyncio.gather(take(list(batch)), take(list(reversed(batch))), take(list(batch)))
        assert sorted(counts) == [0, 0, 300]


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
