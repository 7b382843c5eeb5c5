"""The worker's loops: publish what is due, oldest first, and measure what is not published."""

import asyncio
from datetime import datetime, timedelta

from proforma.failures import is_deterministic
from proforma.runtime import Runtime
from proforma.telemetry import logger
from proforma.timetable import run_when_due
from scheduler.days import service as days
from scheduler.triggers import service

_OTHER_AT_WORK = timedelta(seconds=1)
_MEASURE_S = 15.0

log = logger()


async def publish_when_due(runtime: Runtime, stop: asyncio.Event) -> None:
    """Until `stop`. Any number of processes may run it; one at a time works."""
    await run_when_due(runtime, stop, service.CHANNEL, publish_turn)


async def publish_turn(runtime: Runtime) -> datetime | None:
    """Publishes one batch; returns when to look again: now after a full batch, else when the next trigger is due.

    Without anything due this is one read of one index.
    """
    context = runtime.context()
    now = context.clock.now()
    async with runtime.database.transaction() as session:
        next_due = await service.next_due(session)
        if next_due is None or next_due > now:
            return next_due
        if not await service.may_publish(session):
            return now + _OTHER_AT_WORK
        published = await service.publish_due(session, context)
        if published:
            log.info("triggers.published", count=published)
        if published == context.limits.batch_max:
            return now
        # What is still due was locked by a change under way: a moment later it is canceled or ours.
        left = await service.next_due(session)
        return left if left is None or left > now else now + _OTHER_AT_WORK


async def measure_regularly(runtime: Runtime, stop: asyncio.Event) -> None:
    """Sets the gauges every 15 seconds until `stop`: in a loop of its own, because the publisher may be what hangs."""
    while not stop.is_set():
        try:
            async with runtime.database.transaction() as session:
                await days.measure(session, runtime.context())
        except Exception as error:
            if is_deterministic(error):
                raise
            log.warning("triggers.not_measured", problem=f"{type(error).__name__}: {error}")
        try:
            async with asyncio.timeout(_MEASURE_S):
                await stop.wait()
        except TimeoutError:
            continue
