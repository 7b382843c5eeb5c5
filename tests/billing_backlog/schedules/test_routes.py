"""Invoice schedules over HTTP, and what is said of them."""

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from proforma.db import execute
from proforma.events.billing_backlog import ScheduleChanged, ScheduleEnded
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json, Masters, pointers, statuses
from tests.support.api import Api
from tests.support.events import outbox_of

PATH = "/v1/invoice-schedules"


def rows(*days: str) -> list[Json]:
    """Rows of March 2026, by day of month: "05", or "05>03" with a cut-off."""
    found = []
    for day in days:
        run, _, cut = day.partition(">")
        found.append({"run_date": f"2026-03-{run}"} | ({"cut_off": f"2026-03-{cut}"} if cut else {}))
    return found


async def schedule(desk: Masters, line: Json, *days: str) -> Json:
    answer = await desk.biller.post(PATH, json={"contract_line_id": line["id"], "rows": rows(*days)})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def said(runtime: Runtime) -> list[tuple[str, int, list[str]]]:
    """(changed or ended, version, run dates) of every event about schedules."""
    kinds = {ScheduleChanged.TYPE: "changed", ScheduleEnded.TYPE: "ended"}
    return [
        (kinds[sent.type], sent.body["schedule_version"], [row["run_date"] for row in sent.body.get("rows", [])])
        for sent in await outbox_of(runtime)
        if sent.type in kinds
    ]


async def ran(runtime: Runtime, row_id: str, status: str = "skipped") -> None:
    """As a run leaves a row."""
    async with runtime.database.transaction() as session:
        await execute(
            session,
            "update schedule_rows set status = $2, ran_at = now(), run_id = case when $2 <> 'failed' then id end"
            " where id = $1::uuid",
            row_id, status,
        )  # fmt: skip


async def test_a_schedule_of_an_active_contract_is_told_at_once(desk: Masters, runtime: Runtime) -> None:
    contract, line = await desk.active()
    made = await schedule(desk, line, "09", "02>02")
    assert (made["contract_id"], made["contract_line_id"]) == (contract["id"], line["id"])
    assert (made["status"], made["schedule_version"], made["version"]) == ("active", 1, 1)
    assert made["next_run_date"] == "2026-03-02"
    assert [(row["run_date"], row["cut_off"], row["status"], row["invoices"]) for row in made["rows"]] == [
        ("2026-03-02", "2026-03-02", "not_run", []),
        ("2026-03-09", "2026-03-08", "not_run", []),
    ]
    (sent,) = [one for one in await outbox_of(runtime) if one.type == ScheduleChanged.TYPE]
    assert sent.key == contract["id"]
    assert sent.body == {
        "contract_id": contract["id"],
        "contract_line_id": line["id"],
        "schedule_id": made["id"],
        "schedule_version": 1,
        "time_zone": "UTC",
        "rows": [{"id": row["id"], "run_date": row["run_date"], "cut_off": row["cut_off"]} for row in made["rows"]],
    }


async def test_a_draft_contract_is_told_of_when_it_is_activated(desk: Masters, runtime: Runtime) -> None:
    contract = await desk.contract()
    line = await desk.line(contract)
    made = await schedule(desk, line, "09")
    await desk.patch(f"{PATH}/{made['id']}", {"rows": rows("10")})
    assert await said(runtime) == []
    assert (await desk.verb(contract["id"], "activate")).status_code == 200
    assert await said(runtime) == [("changed", 2, ["2026-03-10"])]


async def test_closing_a_contract_ends_its_schedules(desk: Masters, runtime: Runtime) -> None:
    contract, line = await desk.active()
    made = await schedule(desk, line, "02", "09")
    await ran(runtime, made["rows"][0]["id"])
    assert (await desk.verb(contract["id"], "close")).status_code == 200
    assert (await said(runtime))[-1] == ("ended", 2, [])
    shown = (await desk.biller.get(f"{PATH}/{made['id']}")).json()
    assert (shown["status"], shown["next_run_date"]) == ("ended", None)
    assert [row["status"] for row in shown["rows"]] == ["skipped"]
    answer = await desk.biller.post(PATH, json={"contract_line_id": line["id"], "rows": rows("10")})
    assert answer.status_code == 409


async def test_an_edit_keeps_what_ran_and_what_is_the_same(desk: Masters, runtime: Runtime) -> None:
    _, line = await desk.active()
    made = await schedule(desk, line, "02", "09", "16")
    first, second, third = made["rows"]
    await ran(runtime, first["id"])
    answer = await desk.patch(f"{PATH}/{made['id']}", {"rows": rows("09", "16>10", "23")}, etag='"1"')
    assert answer.status_code == 200, answer.text
    after = answer.json()
    assert answer.headers["ETag"] == '"2"'
    assert (after["schedule_version"], after["version"]) == (2, 2)
    assert [row["run_date"] for row in after["rows"]] == ["2026-03-02", "2026-03-09", "2026-03-16", "2026-03-23"]
    ids = [row["id"] for row in after["rows"]]
    assert ids[:2] == [first["id"], second["id"]]
    assert third["id"] not in ids
    assert (await said(runtime))[-1] == ("changed", 2, ["2026-03-09", "2026-03-16", "2026-03-23"])


async def test_an_edit_that_changes_nothing_says_nothing(desk: Masters, runtime: Runtime) -> None:
    _, line = await desk.active()
    made = await schedule(desk, line, "02", "09")
    for body in ({"rows": rows("09>08", "02")}, {}, {"external_id": None}):
        answer = await desk.patch(f"{PATH}/{made['id']}", body)
        assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert len(await said(runtime)) == 1


async def test_a_row_moved_away_and_back_is_another_row(desk: Masters, runtime: Runtime) -> None:
    _, line = await desk.active()
    made = await schedule(desk, line, "09")
    await desk.patch(f"{PATH}/{made['id']}", {"rows": rows("10")})
    back = (await desk.patch(f"{PATH}/{made['id']}", {"rows": rows("09")})).json()
    assert back["rows"][0]["id"] != made["rows"][0]["id"]
    assert [version for _, version, _ in await said(runtime)] == [1, 2, 3]


async def test_a_row_that_ran_cannot_be_changed(desk: Masters, runtime: Runtime) -> None:
    _, line = await desk.active()
    made = await schedule(desk, line, "02", "09")
    await ran(runtime, made["rows"][0]["id"])
    answer = await desk.patch(f"{PATH}/{made['id']}", {"rows": rows("09", "02>02")})
    assert pointers(answer) == ["/rows/1/cut_off"]
    emptied = (await desk.patch(f"{PATH}/{made['id']}", {"rows": []})).json()
    assert [row["run_date"] for row in emptied["rows"]] == ["2026-03-02"]


async def test_a_failed_row_runs_anew_when_its_date_is_named(desk: Masters, runtime: Runtime) -> None:
    _, line = await desk.active()
    made = await schedule(desk, line, "02", "09")
    await ran(runtime, made["rows"][0]["id"], "failed")
    unnamed = (await desk.patch(f"{PATH}/{made['id']}", {"rows": rows("10")})).json()
    assert [row["status"] for row in unnamed["rows"]] == ["failed", "not_run"]
    named = (await desk.patch(f"{PATH}/{made['id']}", {"rows": rows("02", "10")})).json()
    assert [row["status"] for row in named["rows"]] == ["not_run", "not_run"]
    assert named["rows"][0]["id"] != made["rows"][0]["id"]
    assert (await said(runtime))[-1] == ("changed", 3, ["2026-03-02", "2026-03-10"])


async def test_an_end_and_a_new_beginning(desk: Masters, runtime: Runtime) -> None:
    _, line = await desk.active()
    made = await schedule(desk, line, "02", "09")
    await ran(runtime, made["rows"][0]["id"])
    assert (await desk.delete(f"{PATH}/{made['id']}", etag='"1"')).status_code == 204
    assert (await said(runtime))[-1] == ("ended", 2, [])
    assert (await desk.delete(f"{PATH}/{made['id']}")).status_code == 409
    assert (await desk.patch(f"{PATH}/{made['id']}", {"rows": rows("20")})).status_code == 409
    again = await desk.biller.post(PATH, json={"contract_line_id": line["id"], "rows": rows("09", "02")})
    # The line ran on the 2nd: another schedule must not run it on that day once more.
    assert pointers(again) == ["/rows/1/run_date"]
    anew = await schedule(desk, line, "09")
    assert anew["schedule_version"] == 1
    assert [row["run_date"] for row in anew["rows"]] == ["2026-03-09"]


async def test_one_schedule_per_line(desk: Masters) -> None:
    _, line = await desk.active()
    made = await schedule(desk, line, "09")
    answer = await desk.biller.post(PATH, json={"contract_line_id": line["id"], "rows": rows("10")})
    assert answer.status_code == 409
    assert made["id"] in answer.json()["detail"]


async def test_two_creates_at_once_make_one(desk: Masters) -> None:
    _, line = await desk.active()
    body = {"contract_line_id": line["id"], "rows": rows("09")}
    answers = await asyncio.gather(desk.biller.post(PATH, json=body), desk.manager.post(PATH, json=body))
    assert statuses(*answers) == [201, 409]


async def test_an_array_is_all_or_nothing(desk: Masters) -> None:
    contract = await desk.contract()
    one, two = await desk.line(contract), await desk.line(contract, project="OTHER")
    bad = [
        {"contract_line_id": one["id"], "rows": rows("09", "09")},
        {"contract_line_id": two["id"], "rows": rows("09>10")},
    ]
    assert pointers(await desk.biller.post(PATH, json=bad)) == ["/0/rows/1/run_date", "/1/rows/0/cut_off"]
    unknown = [
        {"contract_line_id": str(uuid4()), "rows": rows("09")},
        {"contract_line_id": one["id"], "rows": rows("09")},
    ]
    assert pointers(await desk.biller.post(PATH, json=unknown)) == ["/0/contract_line_id"]
    twice = [{"contract_line_id": one["id"], "rows": rows("09")}, {"contract_line_id": one["id"], "rows": rows("10")}]
    assert pointers(await desk.biller.post(PATH, json=twice)) == ["/1/contract_line_id"]
    assert (await desk.biller.get(PATH)).json()["items"] == []
    good = [{"contract_line_id": line["id"], "rows": rows("09"), "external_id": line["id"]} for line in (one, two)]
    answer = await desk.biller.post(PATH, json=good)
    assert [item["contract_line_id"] for item in answer.json()["items"]] == [one["id"], two["id"]]
    assert pointers(await desk.biller.post(PATH, json=[*good])) == ["/0/contract_line_id", "/1/contract_line_id"]


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"rows": []}, "/rows"),
        ({"rows": [{"run_date": "2026-02-30"}]}, "/rows/0/run_date"),
        ({"rows": [{"run_date": "1999-12-31"}]}, "/rows/0/run_date"),
        ({"rows": [{"run_date": "2200-01-01"}]}, "/rows/0/run_date"),
        ({"rows": [{"run_date": "2026-03-01", "at": "noon"}]}, "/rows/0/at"),
        ({"rows": [{"cut_off": "2026-03-01"}]}, "/rows/0/run_date"),
        ({"rows": [{"run_date": str(date(2026, 3, 1) + timedelta(days=n))} for n in range(401)]}, "/rows"),
        ({"frequency": "month"}, "/frequency"),
        ({"contract_line_id": None}, "/contract_line_id"),
    ],
)
async def test_bad_bodies(desk: Masters, change: Any, at: str) -> None:
    body = {"contract_line_id": str(uuid4()), "rows": rows("09"), **change}
    assert pointers(await desk.biller.post(PATH, json=body)) == [at]


async def test_edits_need_the_etag_and_the_role(desk: Masters, client: Api) -> None:
    _, line = await desk.active()
    made = await schedule(desk, line, "09")
    path = f"{PATH}/{made['id']}"
    assert (await desk.biller.patch(path, json={"rows": []})).status_code == 428
    assert (await desk.patch(path, {"rows": []}, etag='"7"')).status_code == 412
    assert (await desk.delete(path, etag='"7"')).status_code == 412
    for role in ("submitter", "approver", "service"):
        caller = client.as_(role)
        assert (await caller.post(PATH, json={})).status_code == 403
        assert (await caller.patch(path, json={}, headers={"If-Match": "*"})).status_code == 403
        assert (await caller.delete(path, headers={"If-Match": "*"})).status_code == 403
        assert (await caller.get(path)).status_code == 200
    assert (await desk.biller.get(f"{PATH}/{uuid4()}")).status_code == 404
    assert (await desk.patch(f"{PATH}/{uuid4()}", {"rows": []})).status_code == 404
    assert (await desk.delete(f"{PATH}/{uuid4()}")).status_code == 404


async def test_filters_and_pages(desk: Masters) -> None:
    contract = await desk.contract()
    lines = [await desk.line(contract, project=f"P{n}") for n in range(3)]
    made = [await schedule(desk, line, "09") for line in lines]
    await desk.delete(f"{PATH}/{made[0]['id']}")

    async def found(**query: str) -> list[str]:
        return [one["id"] for one in (await desk.biller.get(PATH, params=query)).json()["items"]]

    ids = [one["id"] for one in made]
    assert await found() == ids
    assert await found(contract_id=contract["id"], status="active") == ids[1:]
    assert await found(contract_line_id=lines[2]["id"]) == ids[2:]
    assert await found(contract_id=str(uuid4())) == []
    first = (await desk.biller.get(PATH, params={"limit": "2"})).json()
    assert first["items"][1]["next_run_date"] == "2026-03-09"
    second = (await desk.biller.get(PATH, params={"limit": "2", "after": first["next"]})).json()
    assert ([one["id"] for one in second["items"]], second["next"]) == (ids[2:], None)


async def test_a_repeat_under_the_same_key_makes_nothing(desk: Masters, runtime: Runtime) -> None:
    _, line = await desk.active()
    body = {"contract_line_id": line["id"], "rows": rows("09")}
    first, second = [await desk.biller.post(PATH, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert first.json() == second.json()
    assert len(await said(runtime)) == 1


async def test_a_new_time_zone_is_told_as_new_terms(desk: Masters, runtime: Runtime) -> None:
    contract, line = await desk.active()
    made = await schedule(desk, line, "09")
    answer = await desk.patch(f"/v1/contracts/{contract['id']}", {"time_zone": "Asia/Tokyo"})
    assert answer.status_code == 200, answer.text
    sent = [one.body for one in await outbox_of(runtime) if one.type == ScheduleChanged.TYPE]
    assert [(one["schedule_version"], one["time_zone"]) for one in sent] == [(1, "UTC"), (2, "Asia/Tokyo")]
    assert sent[1]["rows"] == sent[0]["rows"]
    assert (await desk.biller.get(f"{PATH}/{made['id']}")).json()["version"] == 2


async def test_a_line_with_a_schedule_stays_until_it_has_ended(desk: Masters) -> None:
    _, line = await desk.active()
    made = await schedule(desk, line, "09")
    answer = await desk.delete(f"/v1/contract-lines/{line['id']}")
    assert answer.status_code == 409
    assert made["id"] in answer.json()["detail"]
    await desk.delete(f"{PATH}/{made['id']}")
    assert (await desk.delete(f"/v1/contract-lines/{line['id']}")).status_code == 204
