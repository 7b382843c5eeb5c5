"""`/v1/entries`: create, list, show, edit, delete, history."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from proforma.auth import ROLES, role
from proforma.bodies import Items, OneOrMany, Page, as_list
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems
from time_expense.entries import service
from time_expense.entries.schemas import EntryIn, EntryOut, EntryPatch, EntryQuery, HistoryOut, HistoryQuery

routes = router("/v1/entries", "entries")


@routes.post("", status_code=201, dependencies=[role("submitter")], responses=problems(409, 413))
async def create_entries(
    body: OneOrMany[EntryIn], session: Tx, context: Ctx, response: Response
) -> EntryOut | Items[EntryOut]:
    """Makes one draft, or up to 1,000 of them: all or none."""
    many = isinstance(body, list)
    made = await service.create(session, context, as_list(body), many=many)
    if many:
        return Items(items=made)
    response.headers["Location"] = f"/v1/entries/{made[0].id}"
    etag(response, made[0].version)
    return made[0]


@routes.get("", dependencies=[role(*ROLES)])
async def list_entries(wanted: Annotated[EntryQuery, Query()], session: Tx, context: Ctx) -> Page[EntryOut]:
    """Entries by id. A submitter sees own ones: submitted by them, or their work."""
    return await service.listed(session, context, wanted)


@routes.get("/{entry_id}", dependencies=[role(*ROLES)], responses=problems(404))
async def show_entry(entry_id: UUID, session: Tx, context: Ctx, response: Response) -> EntryOut:
    """One entry."""
    entry = await service.show(session, context, entry_id)
    etag(response, entry.version)
    return entry


@routes.patch("/{entry_id}", dependencies=[role("submitter")], responses=problems(404, 409, 412, 413, 428))
async def edit_entry(
    entry_id: UUID, body: EntryPatch, expected: IfMatch, session: Tx, context: Ctx, response: Response
) -> EntryOut:
    """Changes a draft or rejected entry."""
    entry = await service.edit(session, context, entry_id, expected, body)
    etag(response, entry.version)
    return entry


@routes.delete("/{entry_id}", status_code=204, dependencies=[role("submitter")], responses=problems(404, 409, 412, 428))
async def delete_entry(entry_id: UUID, expected: IfMatch, session: Tx, context: Ctx) -> Response:
    """Deletes a draft or rejected entry; its history stays."""
    await service.delete(session, context, entry_id, expected)
    return Response(status_code=204)


@routes.get("/{entry_id}/history", dependencies=[role(*ROLES)], responses=problems(404))
async def entry_history(
    entry_id: UUID, wanted: Annotated[HistoryQuery, Query()], session: Tx, context: Ctx
) -> Page[HistoryOut]:
    """Who did what to it, when and why, oldest first."""
    return await service.history(session, context, entry_id, wanted)
