"""HTTP of a contract's life: activate and close."""

from uuid import UUID

from fastapi import Response

from billing_backlog.contract_lifecycle import service
from billing_backlog.contracts.schemas import ContractOut
from proforma.auth import role
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

MANAGE = role("manager")

routes = router("/v1/contracts", "contracts")


@routes.post("/{contract_id}/activate", dependencies=[MANAGE], responses=problems(404, 409, 412, 428))
async def activate_contract(
    contract_id: UUID, expected: IfMatch, session: Tx, context: Ctx, response: Response
) -> ContractOut:
    """Draft → active: its lines take approved work from now on. It needs a line, and no work may lie on two."""
    row = await service.activate(session, context, contract_id, expected)
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
