"""Triggers that came before their day run on it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.loop import run_waiting_triggers, waiting_turn
from billing_backlog.runs.service import RunLine, RunOutcome, run_all_scheduled
from billing_backlog.triggers import service
from proforma.clock import SetClock
from proforma.context import Context
from proforma.db import execute
from proforma.errors import BrokenRule
from proforma.runtime import Runtime
from tests.billing_backlog.scene import claimed, contract, firm, ready, rows
from tests.billing_backlog.triggers.calendars import ago, come, due, schedule, statuses, waiting
from tests.support.api import Api
from tests.support.waits import eventually

OTHER_LINE, OTHER_CONTRACT = UUID(int=13), UUID(int=12)
TOMORROW = ago(-1)


@pytest.fixture(autouse=True)
async def _firm(runtime: Runtime) -> None:
    await firm(runtime)


async def zone(runtime: Runtime, name: str) -> None:
    async with runtime.database.transaction() as session:
        await execute(session, "update contracts set time_zone = $1", name)


@pytest.mark.parametrize(
    ("name", "day", "begins"),
    [
        ("UTC", date(2026, 3, 3), "2026-03-03T00:00:00Z"),
        ("Europe/Berlin", date(2026, 3, 30), "2026-03-29T22:00:00Z"),
        ("America/New_York", date(2026, 11, 2), "2026-11-02T05:00:00Z"),
        ("Asia/Beirut", date(2026, 3, 29), "2026-03-28T22:00:00Z"),
    ],
)
async def test_it_runs_when_its_day_begins_in_the_contracts_zone(
    runtime: Runtime, clock: SetClock, name: str, day: date, begins: str
) -> None:
    await ready(runtime, 1)
    await zone(runtime, name)
    await schedule(runtime, day)
    await come(runtime, due(day))
    moment = datetime.fromisoformat(begins)
    clock.set(moment - timedelta(microseconds=1))
    assert await waiting_turn(runtime) == moment
    assert await statuses(runtime) == {day: "not_run"}
    clock.set(moment)
    await waiting_turn(runtime)
    assert await statuses(runtime) == {day: "successful"}
    assert await waiting(runtime) == []
    assert await waiting_turn(runtime) is None


async def test_where_clocks_go_back_over_midnight_it_waits_for_the_day_to_come_again(
    runtime: Runtime, clock: SetClock
) -> None:
    """St John's, 7 November 2010: 00:01 was 23:01 of the 6th again. Due at once, it would be asked without end."""
    day = date(2010, 11, 7)
    await zone(runtime, "America/St_Johns")
    await schedule(runtime, day)
    now = datetime.fromisoformat("2010-11-07T03:00:00Z")
    clock.set(now)
    await come(runtime, due(day))
    again = await waiting_turn(runtime)
    assert again is not None
    assert now < again <= now + timedelta(minutes=1)
    clock.set(datetime.fromisoformat("2010-11-07T03:30:00Z"))
    await waiting_turn(runtime)
    assert await statuses(runtime) == {day: "skipped"}


async def test_one_whose_row_was_moved_away_meanwhile_does_nothing(runtime: Runtime, clock: SetClock) -> None:
    await schedule(runtime, TOMORROW)
    await come(runtime, due(TOMORROW))
    async with runtime.database.transaction() as session:
        await execute(session, "delete from schedule_rows")
    clock.advance(timedelta(days=1))
    await waiting_turn(runtime)
    assert await waiting(runtime) == []
    assert await rows(runtime, "select * from runs") == []


async def test_one_whose_contract_moved_west_waits_on(runtime: Runtime, clock: SetClock) -> None:
    await schedule(runtime, TOMORROW)
    await come(runtime, due(TOMORROW))
    await zone(runtime, "America/New_York")
    clock.set(datetime.fromisoformat("2026-03-03T00:00:00Z"))
    await waiting_turn(runtime)
    assert await waiting_turn(runtime) == datetime.fromisoformat("2026-03-03T05:00:00Z")
    assert await statuses(runtime) == {TOMORROW: "not_run"}


async def test_a_broken_one_is_failed_until_it_is_asked_for(
    runtime: Runtime, client: Api, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await contract(runtime, OTHER_CONTRACT, {OTHER_LINE: "P2"})
    await schedule(runtime, TOMORROW)
    await schedule(runtime, TOMORROW, line=OTHER_LINE, contract=OTHER_CONTRACT)
    await come(runtime, due(TOMORROW), due(TOMORROW, line=OTHER_LINE, contract=OTHER_CONTRACT))
    clock.advance(timedelta(days=1))
    monkeypatch.setattr(service, "run_all_scheduled", refusing)
    await waiting_turn(runtime)
    assert await statuses(runtime) == {TOMORROW: "skipped"}
    assert await statuses(runtime, OTHER_LINE) == {TOMORROW: "failed"}
    assert await waiting_turn(runtime) is None
    monkeypatch.undo()
    admin = client.as_("admin")
    (waits,) = [one for one in (await admin.get("/v1/waiting")).json()["items"] if one["kind"] == "failed_run"]
    assert "this contract cannot be run" in waits["detail"]
    assert (await admin.post(f"/v1/waiting/{waits['id']}/ask")).status_code == 204
    assert await statuses(runtime, OTHER_LINE) == {TOMORROW: "skipped"}


async def test_what_cannot_be_written_down_as_failed_is_tried_again_in_an_hour(
    runtime: Runtime, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop, and the worker with it, goes on, and so do the others."""
    await contract(runtime, OTHER_CONTRACT, {OTHER_LINE: "P2"})
    await schedule(runtime, TOMORROW)
    await schedule(runtime, TOMORROW, line=OTHER_LINE, contract=OTHER_CONTRACT)
    await come(runtime, due(TOMORROW), due(TOMORROW, line=OTHER_LINE, contract=OTHER_CONTRACT))
    clock.advance(timedelta(days=1))
    monkeypatch.setattr(service, "run_all_scheduled", refusing)
    monkeypatch.setattr(service, "fail_scheduled", _unwritable)
    now = clock.now()
    await waiting_turn(runtime)
    assert await statuses(runtime) == {TOMORROW: "skipped"}
    assert await waiting_turn(runtime) == now + timedelta(hours=1)
    assert await statuses(runtime, OTHER_LINE) == {TOMORROW: "not_run"}
    monkeypatch.undo()
    clock.advance(timedelta(hours=1))
    await waiting_turn(runtime)
    assert await statuses(runtime, OTHER_LINE) == {TOMORROW: "skipped"}


async def _unwritable(*_: object) -> None:
    raise BrokenRule("this failure cannot be written down")


async def refusing(
    session: AsyncSession, context: Context, run_date: date, lines: Mapping[UUID, Sequence[RunLine]]
) -> Mapping[UUID, RunOutcome]:
    """Runs every contract but one."""
    if OTHER_CONTRACT in lines:
        raise BrokenRule("this contract cannot be run")
    return await run_all_scheduled(session, context, run_date, lines)


async def test_two_loops_run_each_row_once(runtime: Runtime, clock: SetClock) -> None:
    await ready(runtime, 1)
    await schedule(runtime, TOMORROW, ago(-2))
    await come(runtime, due(TOMORROW))
    stop = asyncio.Event()
    loops = [asyncio.create_task(run_waiting_triggers(runtime, stop)) for _ in range(2)]

    async def listening() -> bool:
        found = await rows(
            runtime,
            "select count(*) as n from pg_stat_activity where query ilike 'listen%' and state = 'idle'"
            " and datname = current_database()",
        )
        return bool(found[0]["n"] == 2)

    async def ran() -> bool:
        return (await statuses(runtime))[TOMORROW] == "successful"

    try:
        await eventually(listening)
        clock.advance(timedelta(days=1))
        # Another one comes to wait: that wakes the loops, which find the clock moved.
        await come(runtime, due(ago(-2)))
        await eventually(ran)
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await asyncio.gather(*loops)
    assert len(await claimed(runtime)) == 1
    assert await statuses(runtime) == {TOMORROW: "successful", ago(-2): "not_run"}
