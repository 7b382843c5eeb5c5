"""The worker process: schedules come in, triggers go out."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.context import Context
from proforma.events.billing_backlog import ScheduleChanged, ScheduleEnded
from proforma.handlers import Handler, Handlers
from proforma.runtime import Runtime
from proforma.waiting import Ask
from proforma.worker import Work
from scheduler.days.service import RunDay
from scheduler.loop import measure_regularly, publish_when_due
from scheduler.schedules.handlers import schedule_changed, schedule_ended
from scheduler.triggers.service import wake

HANDLERS = Handlers(Handler(ScheduleChanged, schedule_changed), Handler(ScheduleEnded, schedule_ended))


async def _wake_publisher(session: AsyncSession, _: Context, __: str) -> None:
    await wake(session)


ASKS: Mapping[str, Ask] = {"due_trigger": _wake_publisher}


def build_work(_: Runtime) -> Work:
    """Handlers, jobs, the daily loop and its gauges."""
    return Work(handlers=HANDLERS, jobs=[RunDay()], loops=[publish_when_due, measure_regularly], asks=ASKS)
