"""HTTP of previews: schedules that are not kept."""

from billing_backlog.schedule_previews import service
from billing_backlog.schedules.schemas import SchedulePreviewIn, SchedulePreviewOut
from proforma.auth import role
from proforma.http import Ctx, Tx, router
from proforma.problems import problems

routes = router("/v1/invoice-schedules", "invoice-schedules")


@routes.post("/preview", dependencies=[role("biller", "manager")], responses=problems(409, 413))
async def preview_schedule(body: SchedulePreviewIn, session: Tx, context: Ctx) -> SchedulePreviewOut:
    """The rows that a schedule would have now: the next 24 months of a frequency. Nothing is kept.

    Without a line the defaults are those of a line and contract that say nothing, in UTC. A fixed-price line alone
    shows the rows that its milestones make.
    """
    return await service.preview(session, context, body)
