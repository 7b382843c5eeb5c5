"""HTTP of further claims on a run."""

from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.run_claims import service
from billing_backlog.runs import queries
from billing_backlog.runs.schemas import ClaimIn, RunOut
from proforma.auth import role
from proforma.errors import NotFound
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

WRITE = role("biller", "manager")

routes = router("/v1/invoice-runs", "invoice runs")


@routes.post("/{run_id}/refresh", status_code=202, dependencies=[WRITE], responses=problems(404, 409, 412, 428))
async def refresh_run(run_id: UUID, expected: IfMatch, response: Response, session: Tx, context: Ctx) -> RunOut:
    """Claims what became ready since, within the run's lines and cut-offs: a further claim, on the run's open draft.

    Nothing where the run named its items.
    """
    await service.refresh(session, context, run_id, expected)
    return await _shown(session, run_id, response)


@routes.post("/{run_id}/claim", status_code=202, dependencies=[WRITE], responses=problems(404, 409, 412, 413, 428))
async def claim_on_run(
    run_id: UUID, body: ClaimIn, expected: IfMatch, response: Response, session: Tx, context: Ctx
) -> RunOut:
    """Claims chosen items on to the run's open draft, as far as they are ready and not in the future."""
    await service.claim(session, context, run_id, expected, body.item_ids)
    return await _shown(session, run_id, response)


@routes.post("/{run_id}/retry", status_code=202, dependencies=[WRITE], responses=problems(404, 409, 412, 428))
async def retry_run(run_id: UUID, expected: IfMatch, response: Response, session: Tx, context: Ctx) -> RunOut:
    """Runs a failed run now: its trigger was given up, or broke."""
    await service.retry(session, context, run_id, expected)
    return await _shown(session, run_id, response)


async def _shown(session: AsyncSession, run_id: UUID, response: Response) -> RunOut:
    found = await queries.run_by_id(session, run_id)
    if found is None:  # pragma: no cover - locked by the service
        raise NotFound(f"no run {run_id}")
    response.headers["Location"] = f"/v1/invoice-runs/{run_id}"
    etag(response, found.version)
    return found
