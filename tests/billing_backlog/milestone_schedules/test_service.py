"""Schedules that milestones make: a row for each day of what is still to be billed."""

from datetime import UTC, date, datetime
from typing import Any

from proforma.clock import SetClock
from proforma.events.billing_backlog import ScheduleChanged, ScheduleEnded
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json, Masters, pointers
from tests.support.events import outbox_of
from tests.support.rows import change

PATH = "/v1/invoice-schedules"
FIXED = {"billing_method": "fixed_price", "contracted_amount": "17000"}


async def milestone(desk: Masters, line: Json, day: str, amount: str = "1000") -> Json:
    body = {"contract_line_id": line["id"], "name": "Part", "date": day, "amount": amount}
    answer = await desk.biller.post("/v1/milestones", json=body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def schedules(desk: Masters, line: Json, **query: str) -> list[Json]:
    """The line's schedules with their rows."""
    found = (await desk.biller.get(PATH, params={"contract_line_id": line["id"], **query})).json()["items"]
    return [(await desk.biller.get(f"{PATH}/{one['id']}")).json() for one in found]


async def days(desk: Masters, line: Json) -> list[tuple[str, str, str]]:
    """(run date, cut-off, status) of the line's active schedule."""
    (one,) = await schedules(desk, line, status="active")
    assert one["source"] == "milestones"
    return [(row["run_date"], row["cut_off"], row["status"]) for row in one["rows"]]


async def said(runtime: Runtime) -> list[tuple[int, list[str] | None]]:
    """(version, run dates or None for an end) of every event about schedules."""
    return [
        (sent.body["schedule_version"], [row["run_date"] for row in sent.body["rows"]] if "rows" in sent.body else None)
        for sent in await outbox_of(runtime)
        if sent.type in (ScheduleChanged.TYPE, ScheduleEnded.TYPE)
    ]


async def active(desk: Masters) -> Json:
    _, line = await desk.active(**FIXED)
    return line


async def test_they_come_change_and_go_with_the_milestones(desk: Masters, runtime: Runtime) -> None:
    line = await active(desk)
    assert await schedules(desk, line) == []
    first = await milestone(desk, line, "2026-04-01")
    # Work that was done before anybody wrote the milestone: its day has passed, so it is billed at once.
    past = await milestone(desk, line, "2026-01-15")
    twin = await milestone(desk, line, "2026-04-01")
    todo = [("2026-01-15", "2026-01-15", "not_run"), ("2026-04-01", "2026-04-01", "not_run")]
    assert await days(desk, line) == todo
    await desk.delete(f"/v1/milestones/{twin['id']}")
    assert await days(desk, line) == todo
    await desk.patch(f"/v1/milestones/{first['id']}", {"date": "2026-05-01"})
    assert [day for day, _, _ in await days(desk, line)] == ["2026-01-15", "2026-05-01"]
    for one in (first, past):
        assert (await desk.delete(f"/v1/milestones/{one['id']}")).status_code == 204
    assert [one["status"] for one in await schedules(desk, line)] == ["ended"]
    assert await said(runtime) == [
        (1, ["2026-04-01"]),
        (2, ["2026-01-15", "2026-04-01"]),
        (3, ["2026-01-15", "2026-05-01"]),
        (4, ["2026-01-15"]),
        (5, None),
    ]


async def test_they_begin_when_the_contract_is_activated_and_end_with_it(desk: Masters, runtime: Runtime) -> None:
    contract = await desk.contract()
    line = await desk.line(contract, **FIXED)
    await milestone(desk, line, "2026-04-01")
    assert await schedules(desk, line) == []
    assert (await desk.verb(contract["id"], "activate")).status_code == 200
    assert [day for day, _, _ in await days(desk, line)] == ["2026-04-01"]
    assert (await desk.verb(contract["id"], "close")).status_code == 200
    assert await said(runtime) == [(1, ["2026-04-01"]), (2, None)]


async def test_a_day_on_which_the_line_ran_is_not_run_again(desk: Masters, runtime: Runtime) -> None:
    line = await active(desk)
    await milestone(desk, line, "2026-02-01")
    (before,) = await schedules(desk, line)
    await change(runtime, "update schedule_rows set status = 'skipped', ran_at = now(), run_id = id")
    second = await milestone(desk, line, "2026-04-01")
    assert await days(desk, line) == [("2026-02-01", "2026-02-01", "skipped"), ("2026-04-01", "2026-04-01", "not_run")]
    assert (await schedules(desk, line))[0]["id"] == before["id"]
    await desk.patch(f"/v1/milestones/{second['id']}", {"date": "2026-02-01"})
    assert await days(desk, line) == [("2026-02-01", "2026-02-01", "skipped")]


async def test_nor_by_a_later_schedule(desk: Masters, runtime: Runtime) -> None:
    line = await active(desk)
    first = await milestone(desk, line, "2026-02-01")
    await change(runtime, "update schedule_rows set status = 'skipped', ran_at = now(), run_id = id")
    await desk.delete(f"/v1/milestones/{first['id']}")
    await milestone(desk, line, "2026-02-01")
    assert await schedules(desk, line, status="active") == [], "there is no day to run"
    parts = [{"contract_line_id": line["id"], "name": "P", "date": day, "amount": "1"}
             for day in ("2026-02-01", "2026-04-01")]  # fmt: skip
    assert (await desk.biller.post("/v1/milestones", json=parts)).status_code == 201
    assert await days(desk, line) == [("2026-04-01", "2026-04-01", "not_run")]
    assert await said(runtime) == [(1, ["2026-02-01"]), (2, None), (1, ["2026-04-01"])]


async def test_what_a_manual_run_took_before_its_day_keeps_its_row(
    desk: Masters, runtime: Runtime, clock: SetClock
) -> None:
    """Its draft may be discarded: then the day must still come. A day that has passed has had its run."""
    line = await active(desk)
    await milestone(desk, line, "2026-04-01")
    claimed = "update items set billing_status = 'on_invoice', claim_id = id where date = $1"
    await change(runtime, claimed, date(2026, 4, 1))
    await milestone(desk, line, "2026-05-01")
    assert [day for day, _, _ in await days(desk, line)] == ["2026-04-01", "2026-05-01"]
    clock.set(datetime(2026, 4, 2, tzinfo=UTC))
    await milestone(desk, line, "2026-06-01")
    assert [day for day, _, _ in await days(desk, line)] == ["2026-05-01", "2026-06-01"]


async def test_nobody_writes_them(desk: Masters) -> None:
    line = await active(desk)
    rows = [{"run_date": "2026-04-01"}]
    body = {"contract_line_id": line["id"], "rows": rows}
    refused = await desk.biller.post(PATH, json=body)
    assert refused.status_code == 409
    assert "milestones" in refused.json()["detail"]
    assert pointers(await desk.biller.post(PATH, json=[body])) == ["/0/contract_line_id"]
    await milestone(desk, line, "2026-04-01")
    (made,) = await schedules(desk, line)
    path = f"{PATH}/{made['id']}"
    edits: list[Any] = [{"rows": rows}, {"frequency": {"period": "week", "weekday": "monday"}}, {"end": "2026-05-01"}]
    for edit in edits:
        assert (await desk.patch(path, edit)).status_code == 409
    assert (await desk.delete(path)).status_code == 409
    assert (await desk.patch(path, {"external_id": "mine"})).json()["external_id"] == "mine"


async def test_a_line_goes_with_its_milestones_and_their_schedule(desk: Masters, runtime: Runtime) -> None:
    line = await active(desk)
    await milestone(desk, line, "2026-04-01")
    assert (await desk.delete(f"/v1/contract-lines/{line['id']}")).status_code == 204
    assert await said(runtime) == [(1, ["2026-04-01"]), (2, None)]
