"""What a day owes, and publishing it by hand."""

from datetime import date

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from proforma import jobs
from proforma.bodies import BulkResult, JobOut
from proforma.context import Context
from proforma.db import fetch, fetch_value
from proforma.errors import Conflict
from scheduler.days import queries
from scheduler.days.schemas import DayOut
from scheduler.triggers import service as triggers
from scheduler.triggers.rules import latest_today

OLDEST_DUE = Gauge("proforma_scheduler_oldest_due_seconds", "How long the oldest unpublished trigger is due; 0: none")
DAYS_OWED = Gauge("proforma_scheduler_days_owed", "Run dates with triggers that are due, not held and not published")
HELD = Gauge("proforma_scheduler_held_triggers", "Triggers that are due and held back by a paused schedule")


async def show(session: AsyncSession, context: Context, day: date) -> DayOut:
    """What the day has done and still owes now."""
    (row,) = await fetch(session, queries.SUMMARY, day, context.clock.now())
    return DayOut.model_validate({"date": day, **row})


async def run(session: AsyncSession, context: Context, day: date) -> BulkResult | JobOut:
    """Publishes what the day owes, not what is held; as a job where that is more than one batch.

    Twice publishes nothing. Raises Conflict for a day that is in everybody's future; where it has begun in some zones
    only, it owes theirs.
    """
    if day > latest_today(context.clock.now()):
        raise Conflict(f"{day} has not begun anywhere", reason="future_dated")
    await triggers.may_publish(session, patient=True)
    before = await show(session, context, day)
    if before.owed > context.limits.batch_max:
        return await jobs.start(session, context, RunDay.name, {"date": day.isoformat()})
    published = await triggers.publish_due(session, context, day)
    return BulkResult(changed=published, unchanged=before.published)


async def measure(session: AsyncSession, context: Context) -> None:
    """Sets the gauges of what is owed and held now."""
    now = context.clock.now()
    (owed,) = await fetch(session, queries.OWED, now)
    OLDEST_DUE.set((now - owed["oldest"]).total_seconds() if owed["oldest"] else 0)
    DAYS_OWED.set(owed["days"])
    HELD.set(await fetch_value(session, queries.HELD, now))


class RunDay:
    """The job that publishes a long day, a batch a step. It needs no list of targets: what is published is not due."""

    name = "run-day"

    async def plan(self, session: AsyncSession, context: Context, job: jobs.Job) -> int | None:
        """How many triggers the day owes."""
        return (await show(session, context, date.fromisoformat(job.params["date"]))).owed

    async def step(self, session: AsyncSession, context: Context, job: jobs.Job) -> jobs.Step:
        """The oldest batch of what is left."""
        await triggers.may_publish(session, patient=True)
        published = await triggers.publish_due(session, context, date.fromisoformat(job.params["date"]))
        finished = published < context.limits.batch_max
        return jobs.Step(done=published, finished=finished, result={"published": job.done + published})
