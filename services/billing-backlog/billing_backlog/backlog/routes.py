"""`/v1/backlog`: what is approved and not yet posted, and the verbs of billers."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from fastapi.responses import JSONResponse

from billing_backlog.backlog import queries, service
from billing_backlog.backlog.schemas import BulkIn, ItemOut, ItemQuery
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import BulkResult, JobOut, Page
from proforma.errors import NotFound
from proforma.http import Ctx, Tx, router
from proforma.problems import problems

routes = router("/v1/backlog", "backlog")
_READERS = role(*(ROLES - {"submitter"}))
_BILLERS = role("biller", "manager")
_BULK = {202: {"model": JobOut, "description": "More than 1,000 items: a job"}, **problems(409, 413)}


@routes.get("", dependencies=[_READERS])
async def list_items(query: Annotated[ItemQuery, Query()], session: Tx, context: Ctx) -> Page[ItemOut]:
    """The backlog, sorted by id."""
    after = pages.after_id(query.after)
    rows = await queries.page(session, context.clock, query, after, query.limit + 1)
    page, following = pages.cut(rows, query.limit, lambda row: row["id"])
    return Page(items=[ItemOut.model_validate(row) for row in page], next=following)


@routes.get("/{item_id}", dependencies=[_READERS], responses=problems(404))
async def show_item(item_id: UUID, session: Tx, context: Ctx) -> ItemOut:
    """One item, open or closed."""
    row = await queries.by_id(session, context.clock, item_id)
    if row is None:
        raise NotFound(f"no item {item_id}")
    return ItemOut.model_validate(dict(row))


@routes.post("/mark-ready", dependencies=[_BILLERS], response_model=BulkResult, responses=_BULK)
async def mark_ready(body: BulkIn, session: Tx, context: Ctx) -> Response | BulkResult:
    """Items that a biller has looked at: only these are picked up. Future ones are taken from their date on."""
    return _answer(await service.bulk(session, context, body, service.READY))


@routes.post("/unmark-ready", dependencies=[_BILLERS], response_model=BulkResult, responses=_BULK)
async def unmark_ready(body: BulkIn, session: Tx, context: Ctx) -> Response | BulkResult:
    """Back to unbilled, while they are on no invoice."""
    return _answer(await service.bulk(session, context, body, service.UNREADY))


def _answer(result: BulkResult | JobOut) -> Response | BulkResult:
    if isinstance(result, BulkResult):
        return result
    return JSONResponse(result.model_dump(mode="json"), 202, {"Location": f"/v1/jobs/{result.id}"})
