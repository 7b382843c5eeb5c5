"""HTTP of milestones."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.milestones import queries, service
from billing_backlog.milestones.schemas import MilestoneIn, MilestoneOut, MilestonePatch, MilestoneQuery, MilestonesIn
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import BulkResult, Items, JobOut, OneOrMany, Page, by_pointer
from proforma.context import Context
from proforma.errors import NotFound
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

READ = role(*(ROLES - {"submitter"}))
WRITE = role("biller", "manager")
_BULK = {202: {"model": JobOut, "description": "More than 1,000 milestones: a job"}, **problems(409, 413)}

routes = router("/v1/milestones", "milestones")


@routes.post("", status_code=201, dependencies=[WRITE], responses=problems(409, 413))
async def create_milestone(
    body: OneOrMany[MilestoneIn], session: Tx, context: Ctx, response: Response
) -> MilestoneOut | Items[MilestoneOut]:
    """Makes one milestone of a fixed-price line, or an array of them: all or nothing. A line has 400 at most."""
    ids = await service.create_milestones(session, context, by_pointer(body))
    if isinstance(body, list):
        return Items(items=await queries.shown(session, context.clock.now(), ids))
    response.headers["Location"] = f"/v1/milestones/{ids[0]}"
    return await _one(session, context, ids[0], response)


@routes.get("", dependencies=[READ])
async def list_milestones(wanted: Annotated[MilestoneQuery, Query()], session: Tx, context: Ctx) -> Page[MilestoneOut]:
    """Milestones with where their billing stands, by id."""
    found = await queries.page(session, context.clock.now(), wanted)
    rows, following = pages.cut(found, wanted.limit, lambda row: row.id)
    return Page(items=rows, next=following)


@routes.get("/{milestone_id}", dependencies=[READ], responses=problems(404))
async def show_milestone(milestone_id: UUID, session: Tx, context: Ctx, response: Response) -> MilestoneOut:
    """One milestone."""
    return await _one(session, context, milestone_id, response)


@routes.patch("/{milestone_id}", dependencies=[WRITE], responses=problems(404, 409, 412, 413, 428))
async def change_milestone(
    *, milestone_id: UUID, body: MilestonePatch, expected: IfMatch, session: Tx, context: Ctx, response: Response
) -> MilestoneOut:
    """Edits a milestone. One that is on an invoice or posted is refused, with the invoice."""
    await service.change_milestone(session, context, milestone_id, expected, body)
    return await _one(session, context, milestone_id, response)


@routes.delete("/{milestone_id}", status_code=204, dependencies=[WRITE], responses=problems(404, 409, 412, 428))
async def delete_milestone(milestone_id: UUID, expected: IfMatch, session: Tx, context: Ctx) -> Response:
    """Deletes a milestone that was never billed and is on no invoice."""
    await service.delete_milestone(session, context, milestone_id, expected)
    return Response(status_code=204)


@routes.post("/mark-ready", dependencies=[WRITE], response_model=BulkResult, responses=_BULK)
async def mark_ready(body: MilestonesIn, session: Tx, context: Ctx) -> Response | BulkResult:
    """Milestones that are reached. Refused while those of the line do not add up to its contracted amount."""
    return _answer(await service.mark(session, context, body, service.READY))


@routes.post("/unmark-ready", dependencies=[WRITE], response_model=BulkResult, responses=_BULK)
async def unmark_ready(body: MilestonesIn, session: Tx, context: Ctx) -> Response | BulkResult:
    """Back to unbilled, while they are on no invoice."""
    return _answer(await service.mark(session, context, body, service.UNREADY))


async def _one(session: AsyncSession, context: Context, milestone_id: UUID, response: Response) -> MilestoneOut:
    found = await queries.shown(session, context.clock.now(), [milestone_id])
    if not found:
        raise NotFound(f"no milestone {milestone_id}")
    etag(response, found[0].version)
    return found[0]


def _answer(result: BulkResult | JobOut) -> Response | BulkResult:
    if isinstance(result, BulkResult):
        return result
    return JSONResponse(result.model_dump(mode="json"), 202, {"Location": f"/v1/jobs/{result.id}"})
