"""`GET /v1/backlog/{id}/explain`."""

from uuid import UUID

from billing_backlog.explanations import service
from billing_backlog.explanations.schemas import ExplainOut
from proforma.auth import ROLES, role
from proforma.http import Ctx, Tx, router
from proforma.problems import problems

routes = router("/v1/backlog", "backlog")


@routes.get("/{item_id}/explain", dependencies=[role(*(ROLES - {"submitter"}))], responses=problems(404))
async def explain_item(item_id: UUID, session: Tx, context: Ctx) -> ExplainOut:
    """Why it waits and whose turn it is: lines that refuse it, price lists that were searched, what has it."""
    return await service.explain(session, context.clock, item_id)
