"""Bulk calls over more things than one transaction should hold: a job whose targets are fixed in its first step."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.bodies import BulkResult
from proforma.context import Context
from proforma.db import fetch
from proforma.errors import Conflict
from proforma.jobs import Job, JobProblem, Step

NEXT = "select n, target_id from job_targets where job_id = $1 and n > $2 order by n limit $3"

Fix = Callable[[AsyncSession, Job], Awaitable[int]]
"""Fixes the targets in one statement; returns how many."""
Do = Callable[[AsyncSession, Context, Job, Sequence[UUID]], Awaitable[BulkResult]]
"""The bulk call itself, over some of the targets."""


@dataclass(slots=True)
class TargetJob:
    """A bulk call as a job: what matches its filter later is not its own. Up to 1,000 targets a step."""

    name: str
    fix: Fix
    do: Do

    async def plan(self, session: AsyncSession, context: Context, job: Job) -> int:
        return await self.fix(session, job)

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        state = {"n": 0, "changed": 0, "unchanged": 0, **job.state}
        targets = await fetch(session, NEXT, job.id, state["n"], context.limits.job_step_max)
        if not targets:
            return Step(finished=True, result={name: state[name] for name in ("changed", "unchanged")})
        ids = [row["target_id"] for row in targets]
        try:
            did = await self.do(session, context, job, ids)
        except Conflict as refused:
            # The invoice was confirmed or discarded meanwhile: what is left of the job is refused, each by its id.
            problems = [JobProblem("wrong_state", refused.detail, target_id=one) for one in ids]
            return Step(len(ids), problems, {**state, "n": targets[-1]["n"]})
        problems = [JobProblem(one.reason, one.detail, target_id=one.id) for one in did.refused]
        counts = {"changed": state["changed"] + did.changed, "unchanged": state["unchanged"] + did.unchanged}
        return Step(len(ids), problems, {"n": targets[-1]["n"], **counts})
