"""`GET /v1/actuals/{id}/lineage`."""

from uuid import UUID

from billing_backlog.lineage import queries
from billing_backlog.lineage.schemas import LineageOut
from proforma.auth import ROLES, role
from proforma.errors import NotFound
from proforma.http import Tx, router
from proforma.problems import problems

routes = router("/v1/actuals", "ledger")


@routes.get("/{actual_id}/lineage", dependencies=[role(*(ROLES - {"submitter"}))], responses=problems(404))
async def show_lineage(actual_id: UUID, session: Tx) -> LineageOut:
    """From the entry, who handed it in, who approved it and what priced it, through every reversal to the invoice."""
    found = await queries.lineage(session, actual_id)
    if found is None:
        raise NotFound(f"no actual {actual_id}")
    return found
