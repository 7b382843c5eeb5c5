"""Jobs: done once each, whoever is killed, frozen or stopped in the middle."""

import asyncio
import json
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from proforma import jobs
from proforma.bodies import JobOut
from proforma.context import Context, Principal
from proforma.db import execute
from proforma.errors import BrokenRule
from proforma.jobs import Job, Step
from proforma.runtime import Runtime
from proforma.telemetry import current_trace
from tests.conftest import MakeApi, MakeRuntime
from tests.proforma.marking import Marking, has_ended, marks, prepared, runner_of, shown, start
from tests.support.rows import change, locks_awaited, value
from tests.support.waits import eventually, running


async def test_a_job_is_planned_stepped_and_finished(make_runtime: MakeRuntime) -> None:
    runtime = await prepared(make_runtime)
    job = await start(runtime)
    assert (job.status, job.total, job.done, job.created_by) == ("queued", None, 0, "ada")
    kind = Marking()
    assert await runner_of(runtime, kind).run_next(asyncio.Event())
    done = await shown(runtime, job.id)
    assert (done.status, done.total, done.done, done.refused) == ("succeeded", 5, 5, 3)
    assert done.result == {"marked": 5}
    assert done.started_at == done.finished_at == runtime.clock.now()
    assert await marks(runtime) == ["x+"] * 5
    assert kind.steps == 3
    assert {context.actor for context in kind.seen} == {"ada"}
    assert not await runner_of(runtime, kind).run_next(asyncio.Event())


async def test_what_matches_after_the_plan_is_not_the_jobs(make_runtime: MakeRuntime) -> None:
    runtime = await prepared(make_runtime, 4)
    job = await start(runtime)
    kind = Marking()
    kind.before_step.clear()
    async with running(runner_of(runtime, kind)):
        await kind.begun.wait()
        await change(runtime, "insert into effects values ($1, 'late', 'x')", uuid4())
        kind.before_step.set()
        await eventually(lambda: has_ended(runtime, job.id))
    assert sorted(await marks(runtime)) == ["x", "x+", "x+", "x+", "x+"]


async def test_a_running_job_is_canceled_behind_the_step_in_hand(make_runtime: MakeRuntime) -> None:
    runtime = await prepared(make_runtime)
    job = await start(runtime)
    kind = Marking()
    kind.before_step.clear()
    async with running(runner_of(runtime, kind)):
        await kind.begun.wait()
        asking = asyncio.create_task(cancel(runtime, job.id))
        await locks_awaited(runtime)
        kind.before_step.set()
        await asking
        await eventually(lambda: has_ended(runtime, job.id))
    ended = await shown(runtime, job.id)
    assert (ended.status, 0 < ended.done < 5) == ("canceled", True)
    assert (await marks(runtime)).count("x+") == ended.done


async def cancel(runtime: Runtime, job_id: UUID) -> JobOut:
    async with runtime.database.transaction() as session:
        return await jobs.cancel(session, runtime.context(), job_id)


async def test_a_queued_job_is_canceled_at_once_and_a_finished_one_stays(make_runtime: MakeRuntime) -> None:
    runtime = await prepared(make_runtime)
    queued = await start(runtime)
    canceled = await cancel(runtime, queued.id)
    assert (canceled.status, canceled.finished_at) == ("canceled", runtime.clock.now())
    assert not await runner_of(runtime, Marking()).run_next(asyncio.Event())
    done = await start(runtime)
    await runner_of(runtime, Marking()).run_next(asyncio.Event())
    assert (await cancel(runtime, done.id)).status == "succeeded"


class Failing:
    """Writes, then fails."""

    name = "fail"

    async def plan(self, session: AsyncSession, _: Context, job: Job) -> int | None:
        return None

    async def step(self, session: AsyncSession, _: Context, job: Job) -> Step:
        await execute(session, "delete from effects")
        if job.params["how"] == "rule":
            raise BrokenRule("it must not be")
        if job.params["how"] == "bug":
            raise AttributeError("no such thing")
        raise ConnectionResetError("away")


@pytest.mark.parametrize("how", ["rule", "bug"])
async def test_a_step_that_fails_for_good_fails_the_job_and_changes_nothing(
    make_runtime: MakeRuntime, how: str
) -> None:
    runtime = await prepared(make_runtime)
    job = await start(runtime, "fail", {"how": how})
    assert await runner_of(runtime, Failing()).run_next(asyncio.Event())
    failed = await shown(runtime, job.id)
    assert failed.status == "failed"
    assert failed.result == {"detail": {"rule": "it must not be", "bug": "no such thing"}[how]}
    assert await marks(runtime) == ["x"] * 5


async def test_a_step_that_something_away_stopped_is_tried_again(make_runtime: MakeRuntime) -> None:
    runtime = await prepared(make_runtime)
    job = await start(runtime, "fail", {"how": "away"})
    with pytest.raises(ConnectionResetError):
        await runner_of(runtime, Failing()).run_next(asyncio.Event())
    assert (await shown(runtime, job.id)).status == "running"
    await change(runtime, "update jobs set params = replace(params, 'away', 'rule')")
    # The lease was given back, so nobody has to wait for its end.
    assert await runner_of(runtime, Failing()).run_next(asyncio.Event())
    assert (await shown(runtime, job.id)).status == "failed"


async def test_a_kind_that_this_release_does_not_know_fails(make_runtime: MakeRuntime) -> None:
    runtime = await prepared(make_runtime)
    job = await start(runtime, "from the future")
    assert await runner_of(runtime, Marking()).run_next(asyncio.Event())
    failed = await shown(runtime, job.id)
    assert (failed.status, failed.result) == ("failed", {"detail": "unknown kind from the future"})


@pytest.mark.parametrize("projects", [None, frozenset(), frozenset({"P1", "P2"})])
async def test_the_rights_of_who_asked_hold_in_the_job(
    make_runtime: MakeRuntime, projects: frozenset[str] | None
) -> None:
    runtime = await prepared(make_runtime, 1)
    who = Principal("ada", frozenset({"approver", "manager"}), projects)
    context = Context(actor="ada", clock=runtime.clock, principal=who)
    async with runtime.database.transaction() as session:
        await jobs.start(session, context, "mark", {"value": "x"})
    kind = Marking()
    await runner_of(runtime, kind).run_next(asyncio.Event())
    assert [context.principal for context in kind.seen] == [who]


async def test_the_same_call_starts_one_job(make_runtime: MakeRuntime) -> None:
    runtime = await prepared(make_runtime)
    context = Context(actor="ada", clock=runtime.clock, idempotency_key="k", path="/v1/things")
    for _ in range(2):
        async with runtime.database.transaction() as session:
            await jobs.start(session, context, "mark", {"value": "x"})
    assert await value(runtime, "select count(*) from jobs") == 1


async def test_progress_and_problems_over_http(api: MakeApi, make_runtime: MakeRuntime) -> None:
    runtime = await prepared(make_runtime, 7)
    client = await api(runtime)
    job = await start(runtime)
    address = f"/v1/jobs/{job.id}"
    queued = (await client.as_("submitter").get(address)).json()
    assert (queued["status"], queued["kind"], queued["total"]) == ("queued", "mark", None)
    await runner_of(runtime, Marking()).run_next(asyncio.Event())
    done = (await client.as_("submitter").get(address)).json()
    assert (done["status"], done["done"], done["refused"]) == ("succeeded", 7, 4)
    first = (await client.as_("biller").get(f"{address}/problems?limit=3")).json()
    rest = (await client.as_("biller").get(f"{address}/problems?limit=3&after={first['next']}")).json()
    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [3, 1, None]
    assert [one["row"] for one in first["items"] + rest["items"]] == [1, 3, 5, 7]
    assert {one["reason"] for one in first["items"]} == {"not_ready"}
    assert (await client.as_("biller").get(f"/v1/jobs/{uuid4()}")).status_code == 404
    assert (await client.as_("biller").get(f"/v1/jobs/{uuid4()}/problems")).status_code == 404
    assert (await client.as_("biller").get(f"{address}/problems?after=eA")).status_code == 422
    assert (await client.as_("submitter").post(f"{address}/cancel")).status_code == 403
    assert (await client.as_("biller").post(f"{address}/cancel")).json()["status"] == "succeeded"
    assert (await client.as_("biller").post(f"/v1/jobs/{uuid4()}/cancel")).status_code == 404


async def test_the_requests_ids_go_on_in_the_job(make_runtime: MakeRuntime) -> None:
    runtime = await prepared(make_runtime, 1)
    trace = {"x-request-id": "r-1", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    job = await start(runtime)
    await change(
        runtime, "update jobs set params = $1", json.dumps({"value": "x", "_principal": None, "_trace": trace})
    )

    class Emitting(Marking):
        async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
            self.trace = dict(current_trace())
            return await super().step(session, context, job)

    kind = Emitting()
    await runner_of(runtime, kind).run_next(asyncio.Event())
    assert (await shown(runtime, job.id)).status == "succeeded"
    assert kind.trace == trace
