"""HTTP of contracts."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from billing_backlog.contracts import queries, service
from billing_backlog.contracts.schemas import ContractFilter, ContractIn, ContractOut, ContractPatch
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import Items, OneOrMany, Page, by_pointer
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

READ = role(*ROLES)
WRITE = role("biller", "manager")

routes = router("/v1/contracts", "contracts")


@routes.post("", status_code=201, dependencies=[WRITE], responses=problems(409, 413))
async def create_contract(
    body: OneOrMany[ContractIn], session: Tx, context: Ctx, response: Response
) -> ContractOut | Items[ContractOut]:
    """Makes one contract as a draft, or an array of them: all or nothing."""
    rows = await service.create_contracts(session, context, by_pointer(body))
    made = [ContractOut.model_validate(row) for row in rows]
    if isinstance(body, list):
        return Items(items=made)
    response.headers["Location"] = f"/v1/contracts/{made[0].id}"
    etag(response, made[0].version)
    return made[0]


@routes.get("", dependencies=[READ])
async def list_contracts(wanted: Annotated[ContractFilter, Query()], session: Tx) -> Page[ContractOut]:
    """Contracts, by id."""
    rows, following = pages.cut(await queries.page(session, wanted), wanted.limit, lambda row: row["id"])
    return Page(items=[ContractOut.model_validate(dict(row)) for row in rows], next=following)


@routes.get("/{contract_id}", dependencies=[READ], responses=problems(404))
async def show_contract(contract_id: UUID, session: Tx, response: Response) -> ContractOut:
    """One contract."""
    row = await queries.get_contract(session, contract_id)
    etag(response, row.version)
    return ContractOut.model_validate(row)


@routes.patch("/{contract_id}", dependencies=[WRITE], responses=problems(404, 409, 412, 413, 428))
async def change_contract(
    *, contract_id: UUID, body: ContractPatch, expected: IfMatch, session: Tx, context: Ctx, response: Response
) -> ContractOut:
    """Edits the terms of a draft or active contract. Work that is posted keeps its price."""
    row = await service.change_contract(session, context, contract_id, expected, body)
    etag(response, row.version)
    return ContractOut.model_validate(row)
