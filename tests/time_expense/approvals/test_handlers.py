"""Bulk calls over more than a thousand entries: jobs, with their targets fixed, that go on where they were."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from proforma.clock import SetClock
from proforma.context import Context
from proforma.jobs import Job, JobKind, JobRunner, Step
from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.events import outbox_of
from tests.time_expense.work import ENTRIES, finish, made, person, pm, submitted
from time_expense.approvals.handlers import BulkMove
from time_expense.worker import build_work


@pytest.fixture
async def client(api: MakeApi) -> Api:
    """Few are many here: a call over more than three is a job, in steps of two."""
    return await api("time-expense", limits={"batch_max": 3, "job_step_max": 2})


async def job_of(client: Api, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await pm(client).get(f"/v1/jobs/{job_id}")).json()
    return found


class Dying:
    """A kind of job whose worker is killed in every other step, after its work and before its commit."""

    def __init__(self, kind: JobKind) -> None:
        self._kind = kind
        self.name = kind.name
        self.steps = 0

    async def plan(self, session: AsyncSession, context: Context, job: Job) -> int | None:
        return await self._kind.plan(session, context, job)

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        done = await self._kind.step(session, context, job)
        self.steps += 1
        if self.steps % 2:
            raise ConnectionResetError("killed")
        return done


async def test_a_filter_over_many_is_a_job_that_does_what_the_call_would(client: Api) -> None:
    ids = await submitted(client, 5)
    [draft] = await made(client)
    sent = {"filter": {"class": "time"}, "billable_quantity": "2.5", "billing_type": "complimentary"}
    answer = await pm(client).post(f"{ENTRIES}/approve", json=sent)
    assert answer.status_code == 202
    queued = answer.json()
    assert (queued["kind"], queued["status"], queued["done"]) == ("entries.approve", "queued", 0)
    assert answer.headers["location"] == f"/v1/jobs/{queued['id']}"
    assert await outbox_of(client.runtime) == []
    await finish(client.runtime)
    job = await job_of(client, queued["id"])
    assert (job["status"], job["total"], job["done"], job["refused"]) == ("succeeded", 6, 6, 1)
    assert job["result"] == {"changed": 5, "unchanged": 0, "refused": 1}
    [problem] = (await pm(client).get(f"/v1/jobs/{queued['id']}/problems")).json()["items"]
    assert (problem["target_id"], problem["reason"]) == (draft["id"], "wrong_state")
    told = [entry for event in await outbox_of(client.runtime) for entry in event.body["entries"]]
    assert sorted(entry["id"] for entry in told) == sorted(ids)
    assert {(entry["approved_by"], entry["billable_quantity"], entry["billing_type"]) for entry in told} == {
        ("pm", "2.50", "complimentary")
    }


async def test_the_other_verbs_are_jobs_too(client: Api) -> None:
    await made(client, 4)
    for who, verb, sent, status in (
        (person(client), "submit", {}, "submitted"),
        (person(client), "recall", {}, "draft"),
        (person(client), "submit", {}, "submitted"),
        (pm(client), "reject", {"reason": "late"}, "rejected"),
        (person(client), "submit", {}, "submitted"),
        (pm(client), "approve", {}, "approved"),
        (pm(client), "cancel-approval", {"reason": "late"}, "cancellation_requested"),
    ):
        answer = await who.post(f"{ENTRIES}/{verb}", json={"filter": {"project": "P-1"}, **sent})
        assert answer.status_code == 202
        await finish(client.runtime)
        assert (await job_of(client, answer.json()["id"]))["result"] == {"changed": 4, "unchanged": 0, "refused": 0}
        entries = (await pm(client).get(ENTRIES)).json()["items"]
        assert {entry["status"] for entry in entries} == {status}
        if status == "rejected":
            assert {(entry["reason"], entry["decided_by"]) for entry in entries} == {("late", "pm")}


async def test_what_matches_only_later_is_not_the_job_s(client: Api) -> None:
    await submitted(client, 4)
    answer = await pm(client).post(f"{ENTRIES}/approve", json={"filter": {}})
    stop = asyncio.Event()

    class First(BulkMove):
        async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
            stop.set()
            return await super().step(session, context, job)

    await JobRunner(client.runtime.database, client.runtime.context(), [First("approve")]).run_next(stop)
    [late] = await submitted(client)
    await finish(client.runtime)
    assert (await job_of(client, answer.json()["id"]))["result"] == {"changed": 4, "unchanged": 0, "refused": 0}
    assert (await pm(client).get(f"{ENTRIES}/{late}")).json()["status"] == "submitted"


async def test_a_job_whose_worker_is_killed_again_and_again_does_each_entry_once(client: Api, clock: SetClock) -> None:
    ids = await submitted(client, 7)
    answer = await pm(client).post(f"{ENTRIES}/approve", json={"filter": {}})
    kinds = [Dying(BulkMove("approve"))]
    for _ in range(20):
        clock.advance(timedelta(minutes=1))
        try:
            if not await JobRunner(client.runtime.database, client.runtime.context(), kinds).run_next(asyncio.Event()):
                break
        except ConnectionResetError:
            continue
    job = await job_of(client, answer.json()["id"])
    assert (job["status"], job["done"], job["refused"]) == ("succeeded", 7, 0)
    assert job["result"] == {"changed": 7, "unchanged": 0, "refused": 0}
    assert kinds[0].steps > 4
    told = [entry["id"] for event in await outbox_of(client.runtime) for entry in event.body["entries"]]
    assert Counter(told) == Counter(ids)


async def test_a_job_has_the_rights_of_its_caller(client: Api) -> None:
    await submitted(client, 4, project="P-1", resource="pm")
    outside = await submitted(client, 4, project="P-2")
    narrow = pm(client, projects=["P-1"])
    answer = await narrow.post(f"{ENTRIES}/approve", json={"filter": {}})
    await finish(client.runtime)
    job = await job_of(client, answer.json()["id"])
    assert job["result"] == {"changed": 0, "unchanged": 0, "refused": 4}
    problems = (await pm(client).get(f"/v1/jobs/{job['id']}/problems")).json()["items"]
    assert {one["reason"] for one in problems} == {"self_approval"}
    assert (await pm(client).get(f"{ENTRIES}/{outside[0]}")).json()["status"] == "submitted"


async def test_the_same_key_starts_one_job(client: Api) -> None:
    await submitted(client, 4)
    key = {"Idempotency-Key": "once"}
    answers = [await pm(client).post(f"{ENTRIES}/approve", json={"filter": {}}, headers=key) for _ in range(2)]
    assert [one.status_code for one in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["location"] == answers[0].headers["location"]


async def test_a_canceled_job_stops_and_keeps_what_it_did(client: Api) -> None:
    await submitted(client, 6)
    answer = await pm(client).post(f"{ENTRIES}/approve", json={"filter": {}})
    path = f"/v1/jobs/{answer.json()['id']}"

    stop = asyncio.Event()

    class Once(BulkMove):
        async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
            stop.set()
            return await super().step(session, context, job)

    await JobRunner(client.runtime.database, client.runtime.context(), [Once("approve")]).run_next(stop)
    await pm(client).post(f"{path}/cancel")
    await finish(client.runtime)
    job = (await pm(client).get(path)).json()
    assert (job["status"], job["done"]) == ("canceled", 2)
    assert len([one for one in (await pm(client).get(ENTRIES)).json()["items"] if one["status"] == "approved"]) == 2


def test_the_worker_knows_every_kind_that_a_route_starts(client: Api) -> None:
    kinds = {kind.name for kind in build_work(client.runtime).jobs}
    assert kinds == {
        "entries.submit",
        "entries.recall",
        "entries.approve",
        "entries.reject",
        "entries.cancel-approval",
        "entries.import",
    }
