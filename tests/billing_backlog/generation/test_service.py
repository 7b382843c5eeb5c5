"""Rows by frequency: made, extended every day, and brought into line when what they hang on changes."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from billing_backlog.frequencies.rules import Terms
from billing_backlog.generation import service as generation
from billing_backlog.loop import extend_schedules, extension_turn
from billing_backlog.schedules.schemas import InvoiceSchedulePatch
from billing_backlog.schedules.service import change_schedule
from proforma.clock import SetClock
from proforma.errors import BrokenRule
from proforma.events.billing_backlog import ScheduleChanged
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json, Masters
from tests.support.events import outbox_of
from tests.support.rows import change, locks_awaited, rows, value
from tests.support.waits import eventually

PATH = "/v1/invoice-schedules"
MONTHLY = {"period": "month", "days": [15]}
MONDAYS = {"period": "two_weeks", "weekday": "monday"}


async def made(desk: Masters, line: Json, frequency: Json, **fields: object) -> Json:
    answer = await desk.biller.post(PATH, json={"contract_line_id": line["id"], "frequency": frequency, **fields})
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def shown(desk: Masters, schedule: Json) -> Json:
    found: Json = (await desk.biller.get(f"{PATH}/{schedule['id']}")).json()
    return found


def dates(schedule: Json, status: str = "not_run") -> list[str]:
    return [row["run_date"] for row in schedule["rows"] if row["status"] == status]


async def versions(runtime: Runtime) -> list[int]:
    """Schedule versions in the order in which they were said."""
    return [sent.body["schedule_version"] for sent in await outbox_of(runtime) if sent.type == ScheduleChanged.TYPE]


async def all_turns(runtime: Runtime) -> None:
    """The loop's turns until nothing is due."""
    while (again := await extension_turn(runtime)) is not None and again <= runtime.clock.now():
        pass


async def test_each_day_adds_what_has_come_within_24_months(desk: Masters, runtime: Runtime, clock: SetClock) -> None:
    _, line = await desk.active()
    schedule = await made(desk, line, MONTHLY)
    assert (dates(schedule)[0], dates(schedule)[-1], len(dates(schedule))) == ("2026-03-15", "2028-02-15", 24)
    assert await extension_turn(runtime) == datetime(2026, 3, 3, tzinfo=UTC)
    clock.set(datetime(2026, 3, 14, 23, 59, tzinfo=UTC))
    await all_turns(runtime)
    assert (await shown(desk, schedule))["schedule_version"] == 1
    assert await versions(runtime) == [1], "a day without a new row says nothing"
    clock.set(datetime(2026, 3, 15, 0, 0, tzinfo=UTC))
    await all_turns(runtime)
    await all_turns(runtime)
    after = await shown(desk, schedule)
    assert (dates(after)[0], dates(after)[-1], after["schedule_version"]) == ("2026-03-15", "2028-03-15", 2)
    assert await versions(runtime) == [1, 2]


async def test_the_day_is_the_contracts(desk: Masters, runtime: Runtime, clock: SetClock) -> None:
    contract = await desk.contract(time_zone="Pacific/Auckland")
    line = await desk.line(contract)
    await desk.verb(contract["id"], "activate")
    clock.set(datetime(2026, 3, 14, 10, 59, 59, tzinfo=UTC))
    schedule = await made(desk, line, MONTHLY)
    assert await extension_turn(runtime) == datetime(2026, 3, 14, 11, tzinfo=UTC)
    clock.set(datetime(2026, 3, 14, 11, tzinfo=UTC))
    await all_turns(runtime)
    assert dates(await shown(desk, schedule))[-1] == "2028-03-15"


async def test_days_without_the_worker_are_made_up_for(desk: Masters, runtime: Runtime, clock: SetClock) -> None:
    _, line = await desk.active()
    schedule = await made(desk, line, MONTHLY)
    clock.set(datetime(2026, 8, 20, 12, tzinfo=UTC))
    await all_turns(runtime)
    after = dates(await shown(desk, schedule))
    # Rows that nobody triggered yet were generated before their day: they still run.
    assert (after[0], after[-1], len(after)) == ("2026-03-15", "2028-08-15", 30)
    assert await versions(runtime) == [1, 2]


async def test_two_processes_extend_once(desk: Masters, runtime: Runtime, clock: SetClock) -> None:
    """The second waits for the contract, and then finds nothing that is due: decided before, it would do it again."""
    _, line = await desk.active()
    await made(desk, line, MONTHLY)
    clock.set(datetime(2026, 3, 15, 0, 30, tzinfo=UTC))
    async with runtime.database.transaction() as session:
        due = await generation.extension_due(session, runtime.context())
        assert await generation.extend(session, runtime.context(), due) == 1
        second = asyncio.create_task(extension_turn(runtime))
        await locks_awaited(runtime)
    await second
    assert await versions(runtime) == [1, 2]
    assert await value(runtime, "select extend_at from invoice_schedules") == datetime(2026, 3, 16, tzinfo=UTC)


async def test_an_edit_under_way_is_seen_by_the_extension(desk: Masters, runtime: Runtime, clock: SetClock) -> None:
    """By the terms that hold no longer it would add a row that nothing would take away."""
    _, line = await desk.active()
    schedule = await made(desk, line, MONTHLY, start="2026-03-01")
    clock.set(datetime(2026, 3, 15, 0, 30, tzinfo=UTC))
    other = InvoiceSchedulePatch.model_validate({"frequency": {"period": "month", "days": [20]}})
    async with runtime.database.transaction() as session:
        await change_schedule(session, runtime.context(), UUID(schedule["id"]), None, other)
        turn = asyncio.create_task(extension_turn(runtime))
        await locks_awaited(runtime)
    await turn
    assert {day[-2:] for day in dates(await shown(desk, schedule))} == {"20"}


async def test_the_loop_is_woken_by_a_new_schedule(desk: Masters, runtime: Runtime, clock: SetClock) -> None:
    _, line = await desk.active()
    schedule = await made(desk, line, MONTHLY)
    stop = asyncio.Event()
    loop = asyncio.create_task(extend_schedules(runtime, stop))

    async def extended() -> bool:
        return dates(await shown(desk, schedule))[-1] == "2028-03-15"

    async def listening() -> bool:
        asked = "select count(*) from pg_stat_activity where query ilike 'listen%' and datname = current_database()"
        return bool(await value(runtime, asked))

    try:
        await eventually(listening)
        clock.set(datetime(2026, 3, 15, tzinfo=UTC))
        await made(desk, await desk.line(await desk.contract(), project="OTHER"), MONTHLY)
        await change(runtime, f"notify {generation.CHANNEL}")
        await eventually(extended)
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await loop


async def test_one_that_cannot_be_extended_holds_up_no_other(
    desk: Masters, runtime: Runtime, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, line = await desk.active()
    bad = await made(desk, line, {"period": "month", "days": [14]})
    contract = await desk.contract()
    other = await desk.line(contract, project="OTHER")
    await desk.verb(contract["id"], "activate")
    good = await made(desk, other, MONTHLY)
    clock.set(datetime(2026, 3, 15, tzinfo=UTC))
    real = Terms.dates

    def refusing(terms: Terms, today: date) -> list[date]:
        if terms.frequency.days == (14,):
            raise BrokenRule("these terms cannot be read")
        return real(terms, today)

    monkeypatch.setattr(Terms, "dates", refusing)
    await all_turns(runtime)
    assert dates(await shown(desk, good))[-1] == "2028-03-15"
    assert dates(await shown(desk, bad))[-1] == "2028-02-14"
    monkeypatch.undo()
    clock.advance(timedelta(days=1))
    await all_turns(runtime)
    assert dates(await shown(desk, bad))[-1] == "2028-03-14"


async def test_a_draft_is_generated_anew_when_it_is_activated(desk: Masters, runtime: Runtime, clock: SetClock) -> None:
    """Only explicit rows may lie in the past: a contract that slept for months must not make an invoice for each."""
    contract = await desk.contract()
    lines = [await desk.line(contract, project=f"P{n}") for n in range(2)]
    schedule = await made(desk, lines[0], MONTHLY)
    explicit = await desk.biller.post(
        PATH, json={"contract_line_id": lines[1]["id"], "rows": [{"run_date": "2026-03-09"}]}
    )
    assert await extension_turn(runtime) is None, "nobody extends a draft"
    clock.set(datetime(2026, 6, 1, tzinfo=UTC))
    await desk.verb(contract["id"], "activate")
    after = await shown(desk, schedule)
    assert (dates(after)[0], dates(after)[-1]) == ("2026-06-15", "2028-05-15")
    assert dates(await shown(desk, explicit.json())) == ["2026-03-09"]
    assert await extension_turn(runtime) == datetime(2026, 6, 2, tzinfo=UTC)


async def test_another_end_of_the_contract_and_another_start_of_the_line(desk: Masters, runtime: Runtime) -> None:
    contract, line = await desk.active()
    schedule = await made(desk, line, MONDAYS)
    assert dates(schedule)[:3] == ["2026-03-02", "2026-03-16", "2026-03-30"]
    await desk.patch(f"/v1/contracts/{contract['id']}", {"end_date": "2026-03-30"})
    after = await shown(desk, schedule)
    assert (dates(after), after["end"], after["schedule_version"]) == (
        ["2026-03-02", "2026-03-16", "2026-03-30"], "2026-03-30", 2,
    )  # fmt: skip
    kept = {row["run_date"]: row["id"] for row in schedule["rows"]}
    assert all(kept[row["run_date"]] == row["id"] for row in after["rows"])
    await desk.patch(f"/v1/contract-lines/{line['id']}", {"billing_start": "2026-03-10"})
    after = await shown(desk, schedule)
    # Two weeks count from the start, which is another now.
    assert (dates(after), after["start"]) == (["2026-03-16", "2026-03-30"], "2026-03-10")
    assert await versions(runtime) == [1, 2, 3]
    await desk.patch(f"/v1/contract-lines/{line['id']}", {"name": "Design"})
    assert await versions(runtime) == [1, 2, 3]


async def test_what_the_schedule_says_itself_is_not_changed_by_its_contract(desk: Masters, runtime: Runtime) -> None:
    contract, line = await desk.active()
    schedule = await made(desk, line, MONTHLY, start="2026-04-01", end="2026-06-30")
    await desk.patch(f"/v1/contracts/{contract['id']}", {"end_date": "2026-05-01"})
    await desk.patch(f"/v1/contract-lines/{line['id']}", {"billing_start": "2026-05-01"})
    assert dates(await shown(desk, schedule)) == ["2026-04-15", "2026-05-15", "2026-06-15"]
    assert await versions(runtime) == [1]


async def test_another_time_zone_is_another_today(desk: Masters, runtime: Runtime, clock: SetClock) -> None:
    contract, line = await desk.active()
    clock.set(datetime(2026, 3, 15, 12, tzinfo=UTC))
    schedule = await made(desk, line, MONTHLY)
    assert dates(schedule)[0] == "2026-03-15"
    await desk.patch(f"/v1/contracts/{contract['id']}", {"time_zone": "Pacific/Auckland"})
    after = await shown(desk, schedule)
    # It is the 16th there: the row of the 15th is late, and stays.
    assert (dates(after)[0], dates(after)[-1], after["schedule_version"]) == ("2026-03-15", "2028-03-15", 2)
    assert await rows(runtime, "select extend_at from invoice_schedules") == [
        {"extend_at": datetime(2026, 3, 16, 11, tzinfo=UTC)}
    ]


async def test_an_end_ends_the_extending(desk: Masters, runtime: Runtime) -> None:
    contract, line = await desk.active()
    schedule = await made(desk, line, MONTHLY)
    await desk.delete(f"{PATH}/{schedule['id']}")
    assert await extension_turn(runtime) is None
    await made(desk, line, MONTHLY)
    await desk.verb(contract["id"], "close")
    assert await extension_turn(runtime) is None


async def test_where_clocks_go_back_over_midnight_the_loop_does_not_spin(
    desk: Masters, runtime: Runtime, clock: SetClock
) -> None:
    """St John's, 7 November 2010: 00:01 was 23:01 of the 6th again: the 7th had begun and was still to come."""
    contract = await desk.contract(time_zone="America/St_Johns")
    line = await desk.line(contract)
    clock.set(datetime(2010, 11, 7, 3, 0, tzinfo=UTC))
    await desk.verb(contract["id"], "activate")
    await made(desk, line, MONTHLY)
    assert await extension_turn(runtime) == datetime(2010, 11, 7, 3, 1, tzinfo=UTC)
