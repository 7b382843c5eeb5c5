"""Days over HTTP: what is done, what is owed, and running one by hand."""

import asyncio
from datetime import datetime, timedelta

import pytest

from proforma.clock import SetClock
from proforma.jobs import JobRunner
from scheduler.days.service import RunDay
from scheduler.worker import HANDLERS
from tests.conftest import MakeApi
from tests.scheduler.calendars import TODAY, Line, row
from tests.support.api import Api
from tests.support.events import deliver, outbox_of

YESTERDAY = TODAY - timedelta(days=1)
TOMORROW = TODAY + timedelta(days=1)


@pytest.fixture
async def scheduler(api: MakeApi) -> Api:
    return await api("scheduler")


async def test_a_day_shows_what_it_owes_and_what_it_has_done(scheduler: Api) -> None:
    west, kept = Line("America/Los_Angeles"), row(TODAY)
    await deliver(scheduler.runtime, HANDLERS, Line().changed(1, [TODAY]), west.changed(1, [kept, YESTERDAY]))
    await deliver(scheduler.runtime, HANDLERS, west.changed(2, [kept]))
    admin = scheduler.as_("admin")
    day = (await admin.get(f"/v1/days/{TODAY}")).json()
    # At 09:00 UTC it is 01:00 of the same day in Los Angeles.
    assert (day["published"], day["owed"], day["upcoming"], day["canceled"]) == (0, 2, 0, 0)
    assert (await admin.get(f"/v1/days/{YESTERDAY}")).json()["canceled"] == 1
    ran = await admin.post(f"/v1/days/{TODAY}/run")
    assert (ran.status_code, ran.json()) == (200, {"changed": 2, "unchanged": 0, "refused": []})
    again = await admin.post(f"/v1/days/{TODAY}/run")
    assert again.json() == {"changed": 0, "unchanged": 2, "refused": []}
    assert len(await outbox_of(scheduler.runtime)) == 2
    day = (await admin.get(f"/v1/days/{TODAY}")).json()
    assert (day["published"], day["owed"], day["first_published_at"]) == (2, 0, "2026-03-02T09:00:00Z")


async def test_a_day_that_has_begun_in_some_zones_owes_theirs_only(scheduler: Api, clock: SetClock) -> None:
    clock.set(datetime.fromisoformat("2026-03-02T12:00:00Z"))
    ahead, behind = Line("Pacific/Auckland"), Line("America/New_York")
    await deliver(scheduler.runtime, HANDLERS, ahead.changed(1, [TOMORROW]), behind.changed(1, [TOMORROW]))
    ran = await scheduler.as_("admin").post(f"/v1/days/{TOMORROW}/run")
    assert ran.json()["changed"] == 1
    day = (await scheduler.as_("admin").get(f"/v1/days/{TOMORROW}")).json()
    assert (day["published"], day["owed"], day["upcoming"]) == (1, 0, 1)


async def test_another_day_is_left_alone(scheduler: Api) -> None:
    await deliver(scheduler.runtime, HANDLERS, Line().changed(1, [YESTERDAY, TODAY]))
    await scheduler.as_("admin").post(f"/v1/days/{TODAY}/run")
    assert [sent.body["run_date"] for sent in await outbox_of(scheduler.runtime)] == ["2026-03-02"]


async def test_a_day_in_the_future_is_refused(scheduler: Api) -> None:
    answer = await scheduler.as_("admin").post("/v1/days/2026-03-04/run")
    assert (answer.status_code, answer.json()["reason"]) == (409, "future_dated")


async def test_only_an_admin_runs_a_day(scheduler: Api) -> None:
    for role in ("biller", "manager", "service", "approver", "submitter"):
        assert (await scheduler.as_(role).post(f"/v1/days/{TODAY}/run")).status_code == 403
        assert (await scheduler.as_(role).get(f"/v1/days/{TODAY}")).status_code == 200


async def test_a_key_makes_the_same_answer(scheduler: Api) -> None:
    await deliver(scheduler.runtime, HANDLERS, Line().changed(1, [TODAY]))
    headers = {"Idempotency-Key": "monday"}
    first = await scheduler.as_("admin").post(f"/v1/days/{TODAY}/run", headers=headers)
    second = await scheduler.as_("admin").post(f"/v1/days/{TODAY}/run", headers=headers)
    assert first.json() == second.json() == {"changed": 1, "unchanged": 0, "refused": []}
    assert second.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("day", ["today", "2026-02-30", "20260302T"])
async def test_no_day(scheduler: Api, day: str) -> None:
    assert (await scheduler.as_("admin").get(f"/v1/days/{day}")).status_code == 422
    assert (await scheduler.as_("admin").post(f"/v1/days/{day}/run")).status_code == 422


async def test_a_long_day_is_a_job_that_publishes_each_row_once(api: MakeApi) -> None:
    scheduler = await api("scheduler", limits={"batch_max": 4})
    runtime = scheduler.runtime
    await deliver(runtime, HANDLERS, *[Line().changed(1, [TODAY]) for _ in range(10)])
    answer = await scheduler.as_("admin").post(f"/v1/days/{TODAY}/run")
    assert (answer.status_code, answer.json()["kind"]) == (202, "run-day")

    assert await JobRunner(runtime.database, runtime.context(), [RunDay()]).run_next(asyncio.Event())
    job = (await scheduler.as_("admin").get(answer.headers["Location"])).json()
    assert (job["status"], job["total"], job["done"], job["result"]) == ("succeeded", 10, 10, {"published": 10})
    rows = [sent.body["row_id"] for sent in await outbox_of(runtime)]
    assert len(rows) == len(set(rows)) == 10
