"""Invoice schedules by frequency over HTTP: what may be said, and rows of theirs that are edited by hand."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from billing_backlog.loop import extension_turn
from proforma.clock import SetClock
from proforma.events.billing_backlog import ScheduleChanged
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json, Masters, pointers
from tests.support.events import outbox_of
from tests.support.rows import change

PATH = "/v1/invoice-schedules"
MONTHLY = {"period": "month", "days": [15]}
MONDAYS = {"period": "week", "weekday": "monday"}
UNTIL_JULY = {"start": "2026-03-01", "end": "2026-07-31"}


async def made(desk: Masters, line: Json, **fields: Any) -> Json:
    body = {"contract_line_id": line["id"], "frequency": MONTHLY, **UNTIL_JULY, **fields}
    answer = await desk.biller.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def edited(desk: Masters, schedule: Json, **body: Any) -> Json:
    answer = await desk.patch(f"{PATH}/{schedule['id']}", body)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def next_day(runtime: Runtime, clock: SetClock, day: int = 3) -> None:
    """A later day's extension, in March."""
    clock.set(datetime(2026, 3, day, 1, tzinfo=UTC))
    await extension_turn(runtime)


def dates(schedule: Json) -> list[str]:
    """Its rows, without the year."""
    return [row["run_date"][5:] for row in schedule["rows"]]


def named(*days: str) -> list[Json]:
    """Rows on these days of 2026, as an edit sends them."""
    return [{"run_date": f"2026-{day}"} for day in days]


async def test_it_shows_its_terms_and_rows(desk: Masters, runtime: Runtime) -> None:
    _, line = await desk.active()
    schedule = await made(desk, line, cut_off_days_before=0)
    assert {name: schedule[name] for name in ("source", "frequency", "start", "end", "cut_off_days_before")} == {
        "source": "frequency", "frequency": {**MONTHLY, "weekday": None, "occurrence": None}, **UNTIL_JULY,
        "cut_off_days_before": 0,
    }  # fmt: skip
    assert dates(schedule) == ["03-15", "04-15", "05-15", "06-15", "07-15"]
    assert {(row["status"], row["generated"], row["run_date"] == row["cut_off"]) for row in schedule["rows"]} == {
        ("not_run", True, True)
    }
    (sent,) = [one.body for one in await outbox_of(runtime) if one.type == ScheduleChanged.TYPE]
    assert [row["run_date"][5:] for row in sent["rows"]] == dates(schedule)
    (listed,) = (await desk.biller.get(PATH)).json()["items"]
    assert listed["frequency"] == schedule["frequency"]


async def test_without_a_word_it_goes_from_today_to_the_contracts_end(desk: Masters) -> None:
    contract = await desk.contract(end_date="2026-03-16")
    line = await desk.line(contract)
    body = {"contract_line_id": line["id"], "frequency": MONDAYS}
    schedule = (await desk.biller.post(PATH, json=body)).json()
    assert (schedule["start"], schedule["end"]) == ("2026-03-02", "2026-03-16")
    assert dates(schedule) == ["03-02", "03-09", "03-16"]
    assert schedule["rows"][0]["cut_off"] == "2026-03-01"


async def test_nothing_is_generated_for_the_past(desk: Masters) -> None:
    _, line = await desk.active(billing_start="2025-11-01")
    schedule = (await desk.biller.post(PATH, json={"contract_line_id": line["id"], "frequency": MONTHLY})).json()
    assert (schedule["start"], dates(schedule)[0], schedule["end"]) == ("2025-11-01", "03-15", None)


async def test_a_row_taken_out_does_not_come_back(desk: Masters, runtime: Runtime, clock: SetClock) -> None:
    _, line = await desk.active()
    schedule = await made(desk, line)
    left = await edited(desk, schedule, rows=named("03-15", "05-15", "06-15", "07-15"))
    assert [row["generated"] for row in left["rows"]] == [True] * 4
    await next_day(runtime, clock)
    assert dates(await edited(desk, schedule)) == ["03-15", "05-15", "06-15", "07-15"]
    again = await edited(desk, schedule, cut_off_days_before=2)
    assert dates(again) == ["03-15", "05-15", "06-15", "07-15"]
    # Named, it is wanted again; and stays out of the exceptions.
    back = await edited(desk, schedule, rows=named("03-15", "04-15", "05-15", "06-15", "07-15"))
    assert dates(back) == ["03-15", "04-15", "05-15", "06-15", "07-15"]
    assert back["rows"][1]["cut_off"] == "2026-04-13", "the schedule's own days before"


async def test_a_row_moved_is_not_doubled(desk: Masters, runtime: Runtime, clock: SetClock) -> None:
    _, line = await desk.active()
    schedule = await made(desk, line)
    moved = await edited(desk, schedule, rows=named("03-15", "04-17", "05-15", "06-15", "07-15"))
    kept = {row["run_date"]: row["id"] for row in schedule["rows"]}
    assert [kept.get(row["run_date"]) == row["id"] for row in moved["rows"]] == [True, False, True, True, True]
    await next_day(runtime, clock)
    # Moved on to a day that the new terms name as well, it is one row.
    after = await edited(desk, schedule, frequency={"period": "month", "days": [15, 17]}, end="2026-05-31")
    assert dates(after) == ["03-15", "03-17", "04-17", "05-15", "05-17"]
    assert [row["id"] for row in after["rows"] if row["run_date"] == "2026-04-17"] == [moved["rows"][1]["id"]]


async def test_a_row_added_stays_when_the_terms_change(desk: Masters) -> None:
    _, line = await desk.active()
    schedule = await made(desk, line)
    rows = [*named(*dates(schedule)), {"run_date": "2026-03-31", "cut_off": "2026-03-31"}]
    await edited(desk, schedule, rows=rows)
    after = await edited(desk, schedule, frequency=MONDAYS, end="2026-03-20")
    assert [(row["run_date"][5:], row["generated"]) for row in after["rows"]] == [
        ("03-02", True), ("03-09", True), ("03-16", True), ("03-31", False),
    ]  # fmt: skip


async def test_new_terms_leave_what_ran_and_what_is_late(desk: Masters, runtime: Runtime, clock: SetClock) -> None:
    _, line = await desk.active()
    schedule = await made(desk, line, frequency=MONDAYS)
    ran = "update schedule_rows set status = 'skipped', ran_at = now(), run_id = id where run_date = '2026-03-02'"
    failed = "update schedule_rows set status = 'failed', ran_at = now() where run_date = '2026-03-16'"
    await change(runtime, ran)
    await change(runtime, failed)
    await next_day(runtime, clock, 12)
    after = await edited(desk, schedule, frequency={"period": "month", "days": [16, 20]}, end="2026-04-30")
    assert [(row["run_date"][5:], row["status"]) for row in after["rows"]] == [
        ("03-02", "skipped"), ("03-09", "not_run"), ("03-16", "failed"), ("03-20", "not_run"), ("04-16", "not_run"),
        ("04-20", "not_run"),
    ]  # fmt: skip
    assert after["schedule_version"] == 2
    again = await edited(desk, schedule, frequency={"period": "month", "days": [16, 20]})
    assert (again["version"], again["schedule_version"]) == (after["version"], 2)


async def test_another_cut_off_is_other_rows(desk: Masters) -> None:
    _, line = await desk.active()
    schedule = await made(desk, line)
    after = await edited(desk, schedule, cut_off_days_before=31)
    assert [row["cut_off"] for row in after["rows"]][:2] == ["2026-02-12", "2026-03-15"]
    assert not {row["id"] for row in after["rows"]} & {row["id"] for row in schedule["rows"]}


async def test_no_more_than_400_rows_wait(desk: Masters) -> None:
    _, line = await desk.active()
    schedule = await made(desk, line, frequency=MONDAYS, end=None)
    by_hand = [{"run_date": f"20{year}-{month:02}-{day:02}"} for year in (30, 31) for month in range(1, 13)
               for day in range(1, 29)][:390]  # fmt: skip
    assert len((await edited(desk, schedule, rows=by_hand))["rows"]) == 390
    after = await edited(desk, schedule, frequency={"period": "week", "weekday": "tuesday"})
    assert (len(after["rows"]), after["rows"][9]["run_date"]) == (400, "2026-05-05")


async def test_explicit_rows_have_no_terms(desk: Masters) -> None:
    _, line = await desk.active()
    body = {"contract_line_id": line["id"], "rows": [{"run_date": "2026-03-09"}]}
    schedule = (await desk.biller.post(PATH, json=body)).json()
    assert (schedule["source"], schedule["start"], schedule["end"]) == ("rows", None, None)
    assert pointers(await desk.patch(f"{PATH}/{schedule['id']}", {"frequency": MONDAYS})) == ["/frequency"]
    assert pointers(await desk.patch(f"{PATH}/{schedule['id']}", {"end": None})) == ["/end"]


async def test_edits_that_cannot_be(desk: Masters) -> None:
    _, line = await desk.active()
    path = f"{PATH}/{(await made(desk, line))['id']}"
    both = {"rows": [{"run_date": "2026-03-09"}], "frequency": MONDAYS}
    assert pointers(await desk.patch(path, both)) == ["/frequency"]
    assert pointers(await desk.patch(path, {"end": "2026-02-28"})) == ["/end"]
    for null in ("frequency", "cut_off_days_before", "rows"):
        assert pointers(await desk.patch(path, {null: None}))[0].startswith(f"/{null}")
    assert dates((await desk.biller.get(path)).json()) == ["03-15", "04-15", "05-15", "06-15", "07-15"]


@pytest.mark.parametrize(
    ("frequency", "at"),
    [
        ({}, "/period"),
        ({"period": "year"}, "/period"),
        ({"period": "week"}, "/weekday"),
        ({"period": "week", "weekday": "mon"}, "/weekday"),
        ({"period": "two_weeks", "weekday": "monday", "days": [1]}, "/days"),
        ({"period": "month"}, "/days"),
        ({"period": "month", "days": []}, "/days"),
        ({"period": "month", "days": [1, 2, 3, 4, 5]}, "/days"),
        ({"period": "month", "days": [1, 1]}, "/days"),
        ({"period": "month", "days": [1, 32]}, "/days/1"),
        ({"period": "month", "days": [0]}, "/days/0"),
        ({"period": "month", "days": ["1"]}, "/days/0"),
        ({"period": "month", "days": [True]}, "/days/0"),
        ({"period": "month", "days": ["first"]}, "/days/0"),
        ({"period": "month", "days": [1], "weekday": "monday"}, "/weekday"),
        ({"period": "month", "weekday": "monday"}, "/occurrence"),
        ({"period": "month", "occurrence": "first"}, "/weekday"),
        ({"period": "month", "weekday": "monday", "occurrence": "fifth"}, "/occurrence"),
        ({"period": "month", "weekday": "monday", "occurrence": []}, "/occurrence"),
        ({"period": "month", "weekday": "monday", "occurrence": ["first", "first"]}, "/occurrence"),
        ({"period": "month", "weekday": "monday", "occurrence": ["first", "fifth"]}, "/occurrence/1"),
    ],
)
async def test_bad_frequencies(desk: Masters, frequency: Json, at: str) -> None:
    body = {"contract_line_id": str(uuid4()), "frequency": frequency}
    assert pointers(await desk.biller.post(PATH, json=body)) == [f"/frequency{at}"]


@pytest.mark.parametrize(
    ("change_to", "at"),
    [
        ({"cut_off_days_before": -1}, "/cut_off_days_before"),
        ({"cut_off_days_before": 32}, "/cut_off_days_before"),
        ({"start": "1999-12-31"}, "/start"),
        ({"end": "2200-01-01"}, "/end"),
        ({"rows": [{"run_date": "2026-03-09"}]}, "/frequency"),
    ],
)
async def test_bad_terms(desk: Masters, change_to: Json, at: str) -> None:
    body = {"contract_line_id": str(uuid4()), "frequency": MONTHLY, **change_to}
    assert pointers(await desk.biller.post(PATH, json=body)) == [at]


async def test_an_array_names_each_line_whose_terms_name_no_day(desk: Masters) -> None:
    contract = await desk.contract()
    lines = [await desk.line(contract, project=f"P{n}") for n in range(3)]
    ends = ["2026-03-14", "2026-03-15", "2026-03-01"]
    body = [{"contract_line_id": line["id"], "frequency": MONTHLY, "end": end}
            for line, end in zip(lines, ends, strict=True)]  # fmt: skip
    assert pointers(await desk.biller.post(PATH, json=body)) == ["/0/frequency", "/2/end"]
    assert (await desk.biller.get(PATH)).json()["items"] == []


@pytest.mark.parametrize(
    ("occurrence", "days"),
    [
        ("first", ["03-02", "04-06"]),
        ("last", ["03-30", "04-27"]),
        (["first", "third"], ["03-02", "03-16", "04-06", "04-20"]),
    ],
)
async def test_occurrences_of_a_weekday(desk: Masters, occurrence: Any, days: list[str]) -> None:
    _, line = await desk.active()
    frequency = {"period": "month", "weekday": "monday", "occurrence": occurrence}
    schedule = await made(desk, line, frequency=frequency, end="2026-04-30")
    assert dates(schedule) == days
    assert schedule["frequency"]["occurrence"] == occurrence
