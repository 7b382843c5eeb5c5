"""HTTP of days."""

import datetime

from fastapi import Response

from proforma.auth import ROLES, role
from proforma.bodies import BulkResult, JobOut
from proforma.http import Ctx, Tx, router
from proforma.problems import problems
from scheduler.days import service
from scheduler.days.schemas import DayOut

routes = router("/v1/days", "days")


@routes.get("/{date}", dependencies=[role(*ROLES)])
async def show_day(date: datetime.date, session: Tx, context: Ctx) -> DayOut:
    """What the day has done and still owes."""
    return await service.show(session, context, date)


@routes.post(
    "/{date}/run",
    dependencies=[role("admin")],
    responses={**problems(409), 202: {"model": JobOut, "description": "More than 1,000: a job publishes them"}},
)
async def run_day(date: datetime.date, session: Tx, context: Ctx, response: Response) -> BulkResult | JobOut:
    """Publishes what the day still owes, not what is held. `unchanged` were published before.

    Twice publishes nothing.
    """
    done = await service.run(session, context, date)
    if isinstance(done, JobOut):
        response.status_code = 202
        response.headers["Location"] = f"/v1/jobs/{done.id}"
    return done
