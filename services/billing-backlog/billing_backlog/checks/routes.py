"""`/v1/ledger/check`: proves the ledger's laws."""

from uuid import UUID

from fastapi import Response

from billing_backlog.checks.service import LedgerCheckJob
from proforma import jobs
from proforma.auth import role
from proforma.bodies import Input, JobOut
from proforma.http import Ctx, Tx, router
from proforma.problems import problems

routes = router("/v1/ledger", "ledger")


class CheckIn(Input):
    """One contract, or everything."""

    contract_id: UUID | None = None


@routes.post(
    "/check", status_code=202, dependencies=[role("biller", "manager", "service")], responses=problems(409, 413)
)
async def check_ledger(response: Response, session: Tx, context: Ctx, body: CheckIn | None = None) -> JobOut:
    """Starts the check: a job whose result is `{"checked": n, "laws": n, "violations": [...]}`."""
    params = {"contract_id": str(body.contract_id)} if body and body.contract_id else {}
    job = await jobs.start(session, context, LedgerCheckJob.name, params)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job
