"""HTTP of a contract's life: activate and close."""

from uuid import UUID

from fastapi import Response

from billing_backlog.contract_lifecycle import service
from billing_backlog.contracts.schemas import ContractOut
from billing_backlog.reevaluation.routes import PREVIEW, follow
from billing_backlog.reevaluation.schemas import Preview, PreviewOut
from billing_backlog.reevaluation.service import preview_of
from proforma.auth import role
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

MANAGE = role("manager")

routes = router("/v1/contracts", "contracts")


@routes.post("/{contract_id}/activate", dependencies=[MANAGE], responses={**PREVIEW, **problems(404, 409, 412, 428)})
async def activate_contract(
    *, contract_id: UUID, expected: IfMatch, session: Tx, context: Ctx, response: Response, preview: Preview = False
) -> ContractOut | PreviewOut:
    """Draft → active: its lines take approved work from now on. It needs a line, and no work may lie on two.

    Work that is approved already follows as a job, to which `Link` leads; `preview` shows what that would do.
    """
    activated = service.activate(session, context, contract_id, expected)
    if preview:
        return await preview_of(session, [contract_id], activated)
    row = await activated
    await follow(session, context, [contract_id], response)
    etag(response, row.version)
    return ContractOut.model_validate(row)


@routes.post("/{contract_id}/close", dependencies=[MANAGE], responses=problems(404, 409, 412, 428))
async def close_contract(
    contract_id: UUID, expected: IfMatch, session: Tx, context: Ctx, response: Response
) -> ContractOut:
    """Active → closed, for good: what is not on an invoice is reversed, what is on one can still be confirmed."""
    row = await service.close(session, context, contract_id, expected)
    etag(response, row.version)
    return ContractOut.model_validate(row)
