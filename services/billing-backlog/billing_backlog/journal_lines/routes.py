"""HTTP of journal lines."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from billing_backlog.journal_lines import queries, service
from billing_backlog.journal_lines.schemas import JournalLineFilter, JournalLineIn, JournalLineOut
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import Items, OneOrMany, Page, by_pointer
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

READ = role(*(ROLES - {"submitter"}))
WRITE = role("biller", "manager")

routes = router("/v1/journal-lines", "journal-lines")


@routes.post("", status_code=201, dependencies=[WRITE], responses=problems(409, 413))
async def create_journal_line(
    body: OneOrMany[JournalLineIn], session: Tx, context: Ctx, response: Response
) -> JournalLineOut | Items[JournalLineOut]:
    """Bills work or a fee that has no entry: an item that is not ready. One, or an array of them: all or nothing."""
    rows = await service.create(session, context, by_pointer(body))
    made = [JournalLineOut.model_validate(row) for row in rows]
    if isinstance(body, list):
        return Items(items=made)
    response.headers["Location"] = f"/v1/journal-lines/{made[0].id}"
    etag(response, made[0].version)
    return made[0]


@routes.get("", dependencies=[READ])
async def list_journal_lines(wanted: Annotated[JournalLineFilter, Query()], session: Tx) -> Page[JournalLineOut]:
    """Journal lines, by id."""
    rows, following = pages.cut(await queries.page(session, wanted), wanted.limit, lambda row: row["id"])
    return Page(items=[JournalLineOut.model_validate(dict(row)) for row in rows], next=following)


@routes.get("/{journal_line_id}", dependencies=[READ], responses=problems(404))
async def show_journal_line(journal_line_id: UUID, session: Tx, response: Response) -> JournalLineOut:
    """One journal line."""
    row = await queries.get_journal_line(session, journal_line_id)
    etag(response, row.version)
    return JournalLineOut.model_validate(row)


@routes.post("/{journal_line_id}/cancel", dependencies=[WRITE], responses=problems(404, 409, 412, 428))
async def cancel_journal_line(
    journal_line_id: UUID, expected: IfMatch, session: Tx, context: Ctx, response: Response
) -> JournalLineOut:
    """Takes it back, all that became of it: refused while some of it is on an invoice, or billed and not credited."""
    row = await service.cancel(session, context, journal_line_id, expected)
    etag(response, row.version)
    return JournalLineOut.model_validate(row)
