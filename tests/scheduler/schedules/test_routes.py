"""Schedules over HTTP."""

from datetime import timedelta
from uuid import uuid4

import pytest

from scheduler.loop import publish_turn
from scheduler.worker import HANDLERS
from tests.conftest import MakeApi
from tests.scheduler.calendars import TODAY, Line
from tests.support.api import Api
from tests.support.events import deliver


@pytest.fixture
async def scheduler(api: MakeApi) -> Api:
    return await api("scheduler")


async def test_a_copy_with_its_rows(scheduler: Api) -> None:
    line = Line("Europe/Berlin")
    said = line.changed(2, [TODAY, TODAY + timedelta(days=7)])
    await deliver(scheduler.runtime, HANDLERS, line.changed(1, [TODAY + timedelta(days=5)]))
    await deliver(scheduler.runtime, HANDLERS, said)
    await publish_turn(scheduler.runtime)
    answer = await scheduler.as_("submitter").get(f"/v1/schedules/{line.schedule_id}")
    found = answer.json()
    assert answer.headers["ETag"] == f'"{found["version"]}"'
    assert (found["contract_line_id"], found["schedule_version"]) == (str(line.id), 2)
    assert (found["status"], found["time_zone"]) == ("active", "Europe/Berlin")
    assert [(row["id"], row["run_date"], row["cut_off"], row["status"]) for row in found["rows"]] == [
        (str(said.rows[0].id), "2026-03-02", "2026-03-01", "published"),
        (str(said.rows[1].id), "2026-03-09", "2026-03-08", "upcoming"),
    ]


async def test_an_ended_one_keeps_what_it_published(scheduler: Api) -> None:
    line = Line()
    await deliver(scheduler.runtime, HANDLERS, line.changed(1, [TODAY, TODAY + timedelta(days=1)]))
    await publish_turn(scheduler.runtime)
    await deliver(scheduler.runtime, HANDLERS, line.ended(2))
    found = (await scheduler.as_("biller").get(f"/v1/schedules/{line.schedule_id}")).json()
    assert (found["status"], found["schedule_version"], found["time_zone"]) == ("ended", 2, "UTC")
    assert [(row["run_date"], row["status"]) for row in found["rows"]] == [("2026-03-02", "published")]


async def test_filters_and_pages(scheduler: Api) -> None:
    lines = [Line() for _ in range(3)]
    await deliver(scheduler.runtime, HANDLERS, *[line.changed(1, [TODAY]) for line in lines])
    await deliver(scheduler.runtime, HANDLERS, lines[0].ended(2))
    client = scheduler.as_("biller")

    async def lines_of(**query: str) -> set[str]:
        answer = await client.get("/v1/schedules", params=query)
        return {one["contract_line_id"] for one in answer.json()["items"]}

    assert await lines_of() == {str(line.id) for line in lines}
    assert await lines_of(status="ended") == {str(lines[0].id)}
    assert await lines_of(contract_line_id=str(lines[1].id)) == {str(lines[1].id)}
    assert await lines_of(contract_id=str(lines[2].contract_id)) == {str(lines[2].id)}
    one = (await client.get("/v1/schedules", params={"limit": "2"})).json()
    two = (await client.get("/v1/schedules", params={"limit": "2", "after": one["next"]})).json()
    assert {item["id"] for item in one["items"] + two["items"]} == {str(line.schedule_id) for line in lines}


async def test_unknown(scheduler: Api) -> None:
    answer = await scheduler.as_("biller").get(f"/v1/schedules/{uuid4()}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:proforma:problem:not-found")
