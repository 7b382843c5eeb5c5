"""`re-evaluate` on contracts."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from fastapi import Response
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.reevaluation import service
from billing_backlog.reevaluation.schemas import Preview, PreviewOut, ReevaluateIn
from proforma.auth import role
from proforma.bodies import JobOut
from proforma.context import Context
from proforma.http import Ctx, Tx, router
from proforma.problems import problems

WRITE = role("biller", "manager")
PREVIEW: dict[int | str, dict[str, Any]] = {
    200: {"model": PreviewOut, "description": "With `preview`: what would change"}
}

routes = router("/v1/contracts", "contracts")


@routes.post(
    "/re-evaluate",
    status_code=202,
    dependencies=[WRITE],
    response_model=JobOut,
    responses={**PREVIEW, **problems(409, 413)},
)
async def reevaluate_many(body: ReevaluateIn, session: Tx, context: Ctx, preview: Preview = False) -> Response:
    """Moves approved work of these contracts' projects to where lines and rates now put it: a job. What is on an
    invoice, or billed and not credited, stays; so does what a closed contract ended."""
    if preview:
        return answer(await service.preview_many(session, body))
    return answer(await service.reevaluate_many(session, context, body))


@routes.post(
    "/{contract_id}/re-evaluate",
    status_code=202,
    dependencies=[WRITE],
    response_model=JobOut,
    responses={**PREVIEW, **problems(404, 409, 413)},
)
async def reevaluate(contract_id: UUID, session: Tx, context: Ctx, preview: Preview = False) -> Response:
    """The same for one contract, which is active."""
    if preview:
        return answer(await service.preview_one(session, contract_id))
    return answer(await service.reevaluate(session, context, contract_id))


def answer(made: JobOut | PreviewOut) -> Response:
    """202 with the job, or 200 with what it would do."""
    if isinstance(made, PreviewOut):
        return JSONResponse(made.model_dump(mode="json"))
    return JSONResponse(made.model_dump(mode="json"), 202, {"Location": f"/v1/jobs/{made.id}"})


async def follow(session: AsyncSession, context: Context, contract_ids: Collection[UUID], response: Response) -> None:
    """Starts what an edit of these contracts' terms makes necessary; the answer's `Link` leads to the job."""
    job = await service.start_for(session, context, contract_ids)
    if job is not None:
        response.headers["Link"] = f'</v1/jobs/{job.id}>; rel="monitor"'
