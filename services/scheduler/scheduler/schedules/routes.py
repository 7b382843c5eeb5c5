"""HTTP of schedules: read only, their terms are billing-backlog's."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from proforma.auth import ROLES, role
from proforma.bodies import Page
from proforma.http import Tx, etag, router
from proforma.problems import problems
from scheduler.schedules import service
from scheduler.schedules.schemas import ScheduleFilter, ScheduleOut, ScheduleWithRows

routes = router("/v1/schedules", "schedules")
_read = role(*ROLES)


@routes.get("", dependencies=[_read])
async def list_schedules(session: Tx, filters: Annotated[ScheduleFilter, Query()]) -> Page[ScheduleOut]:
    """The copies of contract lines' schedules, without their rows."""
    return await service.page(session, filters)


@routes.get("/{schedule_id}", dependencies=[_read], responses=problems(404))
async def show_schedule(schedule_id: UUID, session: Tx, response: Response) -> ScheduleWithRows:
    """One copy with its rows."""
    found = await service.show(session, schedule_id)
    etag(response, found.version)
    return found
