"""HTTP of pausing and resuming schedules."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from proforma.auth import ROLES, role
from proforma.bodies import Page
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems
from scheduler.pauses import service
from scheduler.pauses.schemas import HistoryOut, HistoryQuery, WhyIn
from scheduler.schedules.schemas import ScheduleWithRows

routes = router("/v1/schedules", "schedules")
_edit = role("biller", "manager")


@routes.post("/{schedule_id}/pause", dependencies=[_edit], responses=problems(404, 409, 412, 413, 428))
async def pause_schedule(
    schedule_id: UUID, session: Tx, context: Ctx, expected: IfMatch, response: Response, body: WhyIn | None = None
) -> ScheduleWithRows:
    """Holds back the schedule's triggers, whatever becomes due and however its terms change, until it is resumed.

    A paused one stays as it is; one that has ended is refused.
    """
    found = await service.pause(session, context, schedule_id, expected, body.reason if body else None)
    etag(response, found.version)
    return found


@routes.post("/{schedule_id}/resume", dependencies=[_edit], responses=problems(404, 409, 412, 413, 428))
async def resume_schedule(
    schedule_id: UUID, session: Tx, context: Ctx, expected: IfMatch, response: Response, body: WhyIn | None = None
) -> ScheduleWithRows:
    """Publishes the latest of the triggers that became due meanwhile and marks the earlier ones superseded.

    What is not due yet goes on as usual. A schedule that is not paused stays as it is.
    """
    found = await service.resume(session, context, schedule_id, expected, body.reason if body else None)
    etag(response, found.version)
    return found


@routes.get("/{schedule_id}/history", dependencies=[role(*ROLES)], responses=problems(404))
async def schedule_history(
    schedule_id: UUID, session: Tx, wanted: Annotated[HistoryQuery, Query()]
) -> Page[HistoryOut]:
    """Who paused and resumed it, when and why; oldest first."""
    return await service.history(session, schedule_id, wanted)
