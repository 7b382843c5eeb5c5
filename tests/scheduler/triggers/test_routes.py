"""Triggers over HTTP."""

from datetime import timedelta

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


async def test_a_trigger_shows_its_fields(scheduler: Api) -> None:
    line = Line("Europe/Berlin")
    said = line.changed(2, [TODAY])
    await deliver(scheduler.runtime, HANDLERS, said)
    await publish_turn(scheduler.runtime)
    (found,) = (await scheduler.as_("biller").get("/v1/triggers")).json()["items"]
    trigger_id = found["id"]
    assert found == {
        "id": trigger_id,
        "version": 2,
        "created_at": "2026-03-02T09:00:00Z",
        "created_by": "scheduler",
        "updated_at": "2026-03-02T09:00:00Z",
        "schedule_id": str(line.schedule_id),
        "schedule_version": 2,
        "contract_id": str(line.contract_id),
        "contract_line_id": str(line.id),
        "row_id": str(said.rows[0].id),
        "run_date": "2026-03-02",
        "cut_off": "2026-03-01",
        "due_at": "2026-03-01T23:00:00Z",
        "status": "published",
        "held": False,
        "published_at": "2026-03-02T09:00:00Z",
    }
    assert (await scheduler.as_("biller").get(f"/v1/triggers/{trigger_id}")).json() == found


async def test_filters_and_pages(scheduler: Api) -> None:
    first, second = Line(), Line()
    tomorrow = TODAY + timedelta(days=1)
    await deliver(scheduler.runtime, HANDLERS, first.changed(1, [TODAY, tomorrow]), second.changed(1, [tomorrow]))
    await publish_turn(scheduler.runtime)
    client = scheduler.as_("service")

    async def dates(**query: str) -> list[str]:
        answer = await client.get("/v1/triggers", params=query)
        assert answer.status_code == 200, answer.text
        return sorted(one["run_date"] for one in answer.json()["items"])

    assert await dates(contract_id=str(first.contract_id)) == ["2026-03-02", "2026-03-03"]
    assert await dates(contract_line_id=str(second.id)) == ["2026-03-03"]
    assert await dates(run_date="2026-03-03") == ["2026-03-03", "2026-03-03"]
    assert await dates(status="published") == ["2026-03-02"]
    assert await dates(status="canceled") == []
    one = (await client.get("/v1/triggers", params={"limit": "2"})).json()
    two = (await client.get("/v1/triggers", params={"limit": "2", "after": one["next"]})).json()
    assert (len(one["items"]), len(two["items"]), two["next"]) == (2, 1, None)
    assert len({item["id"] for item in one["items"] + two["items"]}) == 3


@pytest.mark.parametrize("query", ["status=gone", "run_date=tomorrow", "line=x", "limit=0", "after=!"])
async def test_bad_queries(scheduler: Api, query: str) -> None:
    answer = await scheduler.as_("biller").get(f"/v1/triggers?{query}")
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:proforma:problem:validation"


async def test_unknown_and_unauthenticated(scheduler: Api) -> None:
    path = f"/v1/triggers/{Line().id}"
    assert (await scheduler.as_("biller").get(path)).status_code == 404
    assert (await scheduler.with_token(None).get("/v1/triggers")).status_code == 401


async def test_what_is_due_for_long_waits_visibly_and_can_be_asked_for(scheduler: Api) -> None:
    line = Line()
    await deliver(scheduler.runtime, HANDLERS, line.changed(1, [TODAY - timedelta(days=900)]))
    admin = scheduler.as_("admin")
    (waits,) = [one for one in (await admin.get("/v1/waiting")).json()["items"] if one["kind"] == "due_trigger"]
    assert waits["since"] == "2023-09-14T00:00:00Z"
    assert str(line.id) in waits["detail"]
    assert (await admin.post(f"/v1/waiting/{waits['id']}/ask")).status_code == 204
    await publish_turn(scheduler.runtime)
    assert [one["kind"] for one in (await admin.get("/v1/waiting")).json()["items"]] == ["outbox"]
