"""A kind of job that shows when anything was done twice, and what its tests ask again and again."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from proforma import jobs
from proforma.bodies import JobOut
from proforma.context import Context
from proforma.db import execute, fetch
from proforma.jobs import Job, JobKind, JobProblem, JobRunner, Step
from proforma.runtime import Runtime
from tests.conftest import MakeRuntime
from tests.support.rows import change, rows

PLAN = """
insert into job_targets (job_id, n, target_id)
select $1, row_number() over (order by event_id), event_id from effects where value = $2
"""
MARK = """
update effects set value = value || '+' where event_id in (
  select target_id from job_targets where job_id = $1 and n > $2 and n <= $3) returning event_id
"""


class Marking:
    """Adds a plus sign to every effect of a value, two a step: done twice would show as two signs."""

    name = "mark"

    def __init__(self) -> None:
        self.steps = 0
        self.seen: list[Context] = []
        self.before_step = asyncio.Event()
        self.before_step.set()
        self.begun = asyncio.Event()

    async def plan(self, session: AsyncSession, _: Context, job: Job) -> int | None:
        return await execute(session, PLAN, job.id, job.params["value"])

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        self.begun.set()
        await self.before_step.wait()
        self.steps += 1
        self.seen.append(context)
        at = job.state.get("at", 0)
        marked = await fetch(session, MARK, job.id, at, at + 2)
        problems = [JobProblem("not_ready", "is odd", target_id=row["event_id"], row=at + 1) for row in marked[:1]]
        return Step(
            done=len(marked), problems=problems, state={"at": at + 2}, finished=at + 2 >= (job.total or 0),
            result={"marked": at + len(marked)},
        )  # fmt: skip


async def prepared(make_runtime: MakeRuntime, count: int = 5, **settings: Any) -> Runtime:
    runtime = await make_runtime("probe", **settings)
    for _ in range(count):
        await change(runtime, "insert into effects values ($1, 'k', 'x')", uuid4())
    return runtime


async def start(runtime: Runtime, kind: str = "mark", params: Mapping[str, Any] | None = None) -> JobOut:
    async with runtime.database.transaction() as session:
        return await jobs.start(session, runtime.context("ada"), kind, params or {"value": "x"})


async def shown(runtime: Runtime, job_id: UUID) -> JobOut:
    async with runtime.database.transaction() as session:
        return await jobs.show(session, job_id)


def runner_of(runtime: Runtime, *kinds: JobKind) -> JobRunner:
    return JobRunner(runtime.database, runtime.context(), kinds)


async def marks(runtime: Runtime) -> list[str]:
    return [row["value"] for row in await rows(runtime, "select value from effects order by value")]


async def has_ended(runtime: Runtime, job_id: UUID) -> bool:
    """As a condition to wait for."""
    return (await shown(runtime, job_id)).finished_at is not None
