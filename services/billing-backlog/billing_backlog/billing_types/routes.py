"""`POST /v1/backlog/set-billing-type`."""

from fastapi import Response
from fastapi.responses import JSONResponse

from billing_backlog.billing_types import service
from billing_backlog.billing_types.schemas import SetBillingTypeIn
from proforma.auth import role
from proforma.bodies import BulkResult, JobOut
from proforma.http import Ctx, Tx, router
from proforma.problems import problems

routes = router("/v1/backlog", "backlog")
_BULK = {202: {"model": JobOut, "description": "More than 1,000 items: a job"}, **problems(409, 413)}


@routes.post("/set-billing-type", dependencies=[role("biller", "manager")], response_model=BulkResult, responses=_BULK)
async def set_billing_type(body: SetBillingTypeIn, session: Tx, context: Ctx) -> Response | BulkResult:
    """Who pays: each item is replaced by a new one, unbilled, with another id. What an invoice has is refused."""
    result = await service.bulk(session, context, body)
    if isinstance(result, BulkResult):
        return result
    return JSONResponse(result.model_dump(mode="json"), 202, {"Location": f"/v1/jobs/{result.id}"})
