"""HTTP of contract lines."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.contract_lines import queries, service
from billing_backlog.contract_lines.schemas import (
    ContractLineFilter,
    ContractLineIn,
    ContractLineOut,
    ContractLinePatch,
)
from billing_backlog.reevaluation.routes import PREVIEW, answer, follow
from billing_backlog.reevaluation.schemas import Preview, PreviewOut
from billing_backlog.reevaluation.service import preview_of
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import Items, OneOrMany, Page, by_pointer
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

READ = role(*ROLES)
WRITE = role("biller", "manager")
# What no approval looks at.
NAMES_ONLY = {"name", "external_id"}

routes = router("/v1/contract-lines", "contract lines")


@routes.post("", status_code=201, dependencies=[WRITE], responses={**PREVIEW, **problems(409, 413)})
async def create_contract_line(
    body: OneOrMany[ContractLineIn], session: Tx, context: Ctx, response: Response, preview: Preview = False
) -> ContractLineOut | Items[ContractLineOut] | PreviewOut:
    """Makes one line, or an array of them: all or nothing.

    On an active contract it takes effect at once: refused when it would take work that lies on another line. A
    product line stands in the product backlog from now on, under the line's id. Work that is approved already follows
    as a job, to which `Link` leads; `preview` shows what that would do.
    """
    sent: dict[str, ContractLineIn] = by_pointer(body)
    contract_ids = {one.contract_id for one in sent.values()}
    created = service.create_lines(session, context, sent)
    if preview:
        response.status_code = 200
        return await preview_of(session, contract_ids, created)
    rows = await created
    await follow(session, context, contract_ids, response)
    made = [_out(row) for row in await queries.shown(session, [row.id for row in rows])]
    if isinstance(body, list):
        return Items(items=made)
    response.headers["Location"] = f"/v1/contract-lines/{made[0].id}"
    etag(response, made[0].version)
    return made[0]


@routes.get("", dependencies=[READ])
async def list_contract_lines(wanted: Annotated[ContractLineFilter, Query()], session: Tx) -> Page[ContractLineOut]:
    """Contract lines, by id."""
    rows, following = pages.cut(await queries.page(session, wanted), wanted.limit, lambda row: row["id"])
    return Page(items=[_out(row) for row in rows], next=following)


@routes.get("/{contract_line_id}", dependencies=[READ], responses=problems(404))
async def show_contract_line(contract_line_id: UUID, session: Tx, response: Response) -> ContractLineOut:
    """One contract line."""
    await queries.get_line(session, contract_line_id)
    return await _one(session, contract_line_id, response)


@routes.patch("/{contract_line_id}", dependencies=[WRITE], responses={**PREVIEW, **problems(404, 409, 412, 413, 428)})
async def change_contract_line(
    *,
    contract_line_id: UUID,
    body: ContractLinePatch,
    expected: IfMatch,
    session: Tx,
    context: Ctx,
    response: Response,
    preview: Preview = False,
) -> ContractLineOut | PreviewOut:
    """Edits a line of a draft or active contract. Approvals from now on follow it, and approved work as a job, to which
    `Link` leads, as far as no invoice has it; `preview` shows what that would do.

    A product line that is on an invoice or posted is refused, with the invoice.
    """
    contract_id = (await queries.get_line(session, contract_line_id)).contract_id
    changed = service.change_line(session, context, contract_line_id, expected, body)
    if preview:
        return await preview_of(session, [contract_id], changed)
    await changed
    if body.model_fields_set - NAMES_ONLY:
        await follow(session, context, [contract_id], response)
    return await _one(session, contract_line_id, response)


@routes.delete(
    "/{contract_line_id}",
    status_code=204,
    dependencies=[WRITE],
    responses={**PREVIEW, **problems(404, 409, 412, 428)},
)
async def delete_contract_line(
    contract_line_id: UUID, expected: IfMatch, session: Tx, context: Ctx, preview: Preview = False
) -> Response:
    """Deletes a line that no work is on, with its milestones as long as they are unbilled."""
    contract_id = (await queries.get_line(session, contract_line_id)).contract_id
    deleted = service.delete_line(session, context, contract_line_id, expected)
    if preview:
        return answer(await preview_of(session, [contract_id], deleted))
    await deleted
    response = Response(status_code=204)
    await follow(session, context, [contract_id], response)
    return response


async def _one(session: AsyncSession, line_id: UUID, response: Response) -> ContractLineOut:
    (row,) = await queries.shown(session, [line_id])
    etag(response, row["version"])
    return _out(row)


def _out(row: Mapping[str, Any]) -> ContractLineOut:
    names = ("roles", "categories", "tasks")
    free = {name: row[f"non_chargeable_{name}"] for name in names} if row["kind"] == "project" else None
    return ContractLineOut.model_validate({**row, "non_chargeable": free})
