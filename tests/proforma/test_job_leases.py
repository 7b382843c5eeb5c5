"""Leases: a job is one worker's at a time, whoever is killed, frozen or stopped in the middle."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from proforma import jobs
from proforma.clock import SetClock
from proforma.context import Context
from proforma.db import fetch
from proforma.jobs import Job, Step
from tests.conftest import MakeRuntime
from tests.proforma.marking import Marking, marks, prepared, runner_of, shown, start
from tests.support.rows import change, value
from tests.support.waits import eventually, running


async def test_a_stop_ends_behind_the_step_in_hand_and_another_goes_on_at_once(make_runtime: MakeRuntime) -> None:
    runtime = await prepared(make_runtime)
    job = await start(runtime)
    kind = Marking()
    kind.before_step.clear()
    async with running(runner_of(runtime, kind)) as stop:
        await kind.begun.wait()
        stop.set()
        kind.before_step.set()
    halfway = await shown(runtime, job.id)
    assert (halfway.status, halfway.done) == ("running", 2)
    # Without moving the clock: the lease was given back.
    assert await runner_of(runtime, Marking()).run_next(asyncio.Event())
    assert (await shown(runtime, job.id)).status == "succeeded"
    assert await marks(runtime) == ["x+"] * 5


class Stuck(Marking):
    """Stops for ever in the middle of its second step."""

    def __init__(self) -> None:
        super().__init__()
        self.stuck = asyncio.Event()

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        step = await super().step(session, context, job)
        if self.steps > 1:
            self.stuck.set()
            await asyncio.Event().wait()
        return step


async def test_a_killed_workers_job_goes_on_where_it_was_when_the_lease_is_over(
    make_runtime: MakeRuntime, clock: SetClock
) -> None:
    runtime = await prepared(make_runtime)
    job = await start(runtime)
    kind = Stuck()
    working = asyncio.create_task(runner_of(runtime, kind).run_next(asyncio.Event()))
    await kind.stuck.wait()
    assert (await shown(runtime, job.id)).done == 2
    clock.advance(timedelta(seconds=31))
    # As long as its transaction is open, the job is nobody else's, whatever its lease says.
    assert not await runner_of(runtime, Marking()).run_next(asyncio.Event())
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await marks(runtime) == ["x"] * 3 + ["x+"] * 2
    assert await runner_of(runtime, Marking()).run_next(asyncio.Event())
    done = await shown(runtime, job.id)
    assert (done.status, done.done) == ("succeeded", 5)
    assert await marks(runtime) == ["x+"] * 5


async def test_a_lease_that_still_runs_is_respected(make_runtime: MakeRuntime, clock: SetClock) -> None:
    runtime = await prepared(make_runtime)
    job = await start(runtime)
    now = clock.now()
    async with runtime.database.transaction() as session:
        await fetch(session, jobs.TAKE, uuid4(), now + timedelta(seconds=30), now)
    assert not await runner_of(runtime, Marking()).run_next(asyncio.Event())
    clock.advance(timedelta(seconds=31))
    assert await runner_of(runtime, Marking()).run_next(asyncio.Event())
    assert (await shown(runtime, job.id)).status == "succeeded"


async def test_a_worker_frozen_past_its_lease_writes_nothing_more(make_runtime: MakeRuntime, clock: SetClock) -> None:
    runtime = await prepared(make_runtime)
    job = await start(runtime)
    frozen, other = runner_of(runtime, Marking()), runner_of(runtime, Marking())
    now = clock.now()
    async with runtime.database.transaction() as session:
        (row,) = await fetch(session, jobs.TAKE, frozen._me, now + timedelta(seconds=30), now)
    assert row["id"] == job.id
    clock.advance(timedelta(seconds=31))
    stop = asyncio.Event()
    stop.set()
    # The other one takes the job and is stopped before its first step: the job is its own now.
    async with runtime.database.transaction() as session:
        await fetch(session, jobs.TAKE, other._me, clock.now() + timedelta(seconds=30), clock.now())
    await frozen._work(job.id, asyncio.Event())
    assert await marks(runtime) == ["x"] * 5
    assert (await shown(runtime, job.id)).done == 0
    assert await value(runtime, "select lease_owner from jobs") == other._me
    await other._work(job.id, asyncio.Event())
    assert await marks(runtime) == ["x+"] * 5


async def test_two_workers_never_have_the_same_job(make_runtime: MakeRuntime) -> None:
    runtime = await prepared(make_runtime, 0, pool_size=8)
    for job in range(6):
        for _ in range(7):
            await change(runtime, "insert into effects values ($1, 'k', $2)", uuid4(), f"job {job} ")
        await start(runtime, params={"value": f"job {job} "})
    runners = [runner_of(runtime, Marking()) for _ in range(3)]
    async with running(runners[0]), running(runners[1]), running(runners[2]):
        await eventually(lambda: value(runtime, "select bool_and(status = 'succeeded') from jobs"))
    assert await value(runtime, "select sum(done) from jobs") == 42
    assert await marks(runtime) == [f"job {job} +" for job in range(6) for _ in range(7)]
