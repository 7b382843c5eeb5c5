"""Jobs: long work as rows. A worker takes one with a lease, works in committed steps, and resumes after a kill."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma import known
from proforma.bodies import JobOut
from proforma.context import Context, Principal
from proforma.db import Database, execute, fetch_one
from proforma.errors import NotFound
from proforma.failures import is_deterministic
from proforma.telemetry import JOB_STEPS, JOBS_ENDED, current_trace, logger, traced
from proforma.tracing import OFF, Tracing, spanned

_POLL_S = 0.5

INSERT = """
insert into jobs (id, kind, status, params, created_by, created_at, progressed_at)
values ($1, $2, 'queued', $3, $4, $5, $5) on conflict (id) do nothing
"""
TAKE = """
update jobs set status = 'running', lease_owner = $1, lease_until = $2, started_at = coalesce(started_at, $3)
where id = (
  select id from jobs
  where status in ('queued', 'running') and (lease_until is null or lease_until < $3)
  order by id for update skip locked limit 1)
returning *
"""
PROVE = "update jobs set lease_until = $3 where id = $1 and lease_owner = $2 and status = 'running' returning *"
PLANNED = "update jobs set planned = true, total = $2, progressed_at = $3 where id = $1"
PROGRESS = """
update jobs set done = done + $2, refused = refused + $3, state = $4, progressed_at = $5,
  total = coalesce($6, total) where id = $1
"""
FINISH = """
update jobs set status = $2, result = $3, finished_at = $4, progressed_at = $4, lease_owner = null, lease_until = null
where id = $1
"""
# A queued job nobody has begun ends here; a running one is ended by its worker, behind the step in hand.
CANCEL = """
update jobs set cancel_requested = true,
  status = case status when 'queued' then 'canceled' else status end,
  finished_at = case status when 'queued' then $2::timestamptz end
where id = $1 and status in ('queued', 'running')
"""
RELEASE = "update jobs set lease_until = null where id = $1 and lease_owner = $2 and status = 'running'"
PROBLEMS = """
insert into job_problems (job_id, n, row, target_id, external_id, reason, detail)
select $1, nextval('job_problem_n'), r, t, x, w, d
from unnest($2::int[], $3::uuid[], $4::text[], $5::text[], $6::text[]) rows (r, t, x, w, d)
"""

log = logger()


@dataclass(frozen=True, slots=True)
class JobProblem:
    """One row or thing that a job could not do, and why."""

    reason: str
    detail: str
    target_id: UUID | None = None
    row: int | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one committed step did. `state` is handed to the next one; `result` with `finished` ends the job."""

    done: int = 0
    problems: Sequence[JobProblem] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    finished: bool = False
    result: Mapping[str, Any] | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its kind sees it. `actor` asked for it, `done` and `refused` count so far."""

    id: UUID
    params: Mapping[str, Any]
    state: Mapping[str, Any]
    created_by: str
    done: int
    refused: int
    total: int | None


class JobKind(Protocol):
    """One kind of job. Both methods run in a transaction that holds the job's lease."""

    name: str

    async def plan(self, session: AsyncSession, context: Context, job: Job) -> int | None:
        """Fixes the targets, in one statement (into `job_targets`), and returns how many: what matches the filter
        later is not this job's. None where the total is not known yet."""

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        """Does the next part, small enough to commit within seconds."""


async def start(
    session: AsyncSession, context: Context, kind: str, params: Mapping[str, Any], job_id: UUID | None = None
) -> JobOut:
    """Queues a job in this transaction; a repeat of the same call meets the same job."""
    found = job_id or context.once_id()
    wrapped = {**params, "_principal": _written(context.principal), "_trace": current_trace()}
    await execute(session, INSERT, found, kind, json.dumps(wrapped), context.actor, context.clock.now())
    return await show(session, found)


async def show(session: AsyncSession, job_id: UUID) -> JobOut:
    """The job as the API shows it; raises NotFound."""
    row = await fetch_one(session, "select * from jobs where id = $1", job_id)
    if row is None:
        raise NotFound(f"no job {job_id}")
    result = json.loads(row["result"]) if row["result"] else None
    return JobOut.model_validate({**row, "result": result})


async def cancel(session: AsyncSession, context: Context, job_id: UUID) -> JobOut:
    """Asks the job to end after the step in hand; what is done stays done. A finished job stays as it is."""
    await execute(session, CANCEL, job_id, context.clock.now())
    return await show(session, job_id)


class JobRunner:
    """Takes jobs one after another. Several processes may run one each: the lease decides whose a job is."""

    def __init__(self, database: Database, context: Context, kinds: Sequence[JobKind], tracing: Tracing = OFF) -> None:
        self._database = database
        self._context = context
        self._kinds = {kind.name: kind for kind in kinds}
        self._me = context.ids()
        self._tracing = tracing
        self.problem: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; the step in hand is finished first, the rest is another worker's at once."""
        while not stop.is_set():
            try:
                worked = await self.run_next(stop)
                self.problem = None
            except Exception as error:
                if is_deterministic(error):
                    raise
                self.problem = f"{type(error).__name__}: {error}"
                log.warning("jobs.interrupted", problem=self.problem)
                worked = False
            if not worked:
                await self._rest(stop)

    async def run_next(self, stop: asyncio.Event) -> bool:
        """Takes the oldest free job and works on it to its end or until `stop`; False when there was none."""
        if not self._kinds:
            return False
        now = self._context.clock.now()
        async with self._database.transaction() as session:
            await known.require(session)
            row = await fetch_one(session, TAKE, self._me, now + self._lease(), now)
        if row is None:
            return False
        job_id: UUID = row["id"]
        trace = json.loads(row["params"]).get("_trace", {})
        ids = {"job_id": str(job_id), "job": row["kind"]}
        with (
            spanned(self._tracing, "internal", f"job {row['kind']}", trace.get("traceparent"), ids) as span,
            traced(trace.get("x-request-id"), span.traceparent, **ids),
        ):
            await self._work(job_id, stop)
        return True

    async def _work(self, job_id: UUID, stop: asyncio.Event) -> None:
        going = True
        while going and not stop.is_set():
            try:
                async with self._database.transaction() as session:
                    going = await self._step(session, job_id)
            except Exception as error:
                if not is_deterministic(error):
                    await self._release(job_id)
                    raise
                await self._fail(job_id, error)
                return
        await self._release(job_id)

    async def _release(self, job_id: UUID) -> None:
        """Frees an unfinished job at once for whoever is next; where that fails, its lease runs out."""
        async with self._database.transaction() as session:
            await execute(session, RELEASE, job_id, self._me)

    async def _step(self, session: AsyncSession, job_id: UUID) -> bool:
        """One step; False when the job is over or not ours any more.

        Every step begins by proving the lease on the locked row: a worker that was frozen past its lease would
        otherwise repeat what another one has done meanwhile.
        """
        now = self._context.clock.now()
        row = await fetch_one(session, PROVE, job_id, self._me, now + self._lease())
        if row is None:
            return False
        if row["cancel_requested"]:
            await self._finish(session, row, "canceled", None)
            return False
        kind = self._kinds.get(row["kind"])
        if kind is None:
            await self._finish(session, row, "failed", {"detail": f"unknown kind {row['kind']}"})
            return False
        job = _job(row)
        context = self._on_behalf(row)
        if not row["planned"]:
            await execute(session, PLANNED, job_id, await kind.plan(session, context, job), now)
            return True
        step = await kind.step(session, context, job)
        JOB_STEPS.labels(kind.name).inc()
        await _keep_problems(session, job_id, step.problems)
        await execute(
            session, PROGRESS, job_id, step.done, len(step.problems), json.dumps(dict(step.state)), now, step.total
        )
        if step.finished:
            await self._finish(session, row, "succeeded", step.result or {})
        return not step.finished

    async def _fail(self, job_id: UUID, error: Exception) -> None:
        log.error("jobs.failed", exc_info=error)
        async with self._database.transaction() as session:
            row = await fetch_one(session, PROVE, job_id, self._me, self._context.clock.now() + self._lease())
            if row is not None:
                await self._finish(session, row, "failed", {"detail": str(error)[:2000]})

    async def _finish(
        self, session: AsyncSession, row: Mapping[str, Any], status: str, result: Mapping[str, Any] | None
    ) -> None:
        text = None if result is None else json.dumps(dict(result))
        await execute(session, FINISH, row["id"], status, text, self._context.clock.now())
        JOBS_ENDED.labels(row["kind"], status).inc()

    def _on_behalf(self, row: Mapping[str, Any]) -> Context:
        """The context of the person who asked: their name stands beside what the job changes, their rights hold."""
        principal = _read(row["created_by"], json.loads(row["params"])["_principal"])
        return replace(self._context, actor=row["created_by"], principal=principal)

    def _lease(self) -> timedelta:
        return timedelta(seconds=self._context.limits.job_lease_s)

    async def _rest(self, stop: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(_POLL_S):
                await stop.wait()
        except TimeoutError:
            return


def _written(who: Principal | None) -> dict[str, Any] | None:
    # An empty list of projects means none, a missing one all of them.
    if who is None:
        return None
    return {"roles": sorted(who.roles), "projects": None if who.projects is None else sorted(who.projects)}


def _read(sub: str, who: Mapping[str, Any] | None) -> Principal | None:
    if who is None:
        return None
    return Principal(sub, frozenset(who["roles"]), None if who["projects"] is None else frozenset(who["projects"]))


def _job(row: Mapping[str, Any]) -> Job:
    params = json.loads(row["params"])
    for ours in ("_principal", "_trace"):
        params.pop(ours, None)
    return Job(
        row["id"], params, json.loads(row["state"]), row["created_by"], row["done"], row["refused"], row["total"]
    )


async def _keep_problems(session: AsyncSession, job_id: UUID, problems: Sequence[JobProblem]) -> None:
    if not problems:
        return
    await execute(
        session,
        PROBLEMS,
        job_id,
        [problem.row for problem in problems],
        [problem.target_id for problem in problems],
        [problem.external_id for problem in problems],
        [problem.reason for problem in problems],
        [problem.detail[:2000] for problem in problems],
    )
