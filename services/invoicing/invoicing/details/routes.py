"""HTTP of an invoice's lines and details."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Query, Response
from fastapi.responses import JSONResponse

from invoicing.details import queries, service
from invoicing.details.schemas import DetailOut, DetailQuery, LineOut, RemoveIn
from invoicing.invoices import queries as invoices
from invoicing.invoices.routes import EDITORS, READERS
from invoicing.invoices.schemas import PageQuery
from proforma import pages
from proforma.auth import role
from proforma.bodies import BulkResult, JobOut, Page
from proforma.http import Ctx, IfMatch, Tx, etag, if_match, router
from proforma.problems import problems

routes = router("/v1/invoices/{invoice_id}", "invoices")


async def if_match_when_sent(
    value: Annotated[str | None, Header(alias="If-Match", description="The invoice's ETag, checked when sent.")] = None,
) -> int | None:
    """Dependency: the version that the caller read, where they say it."""
    return None if value is None else await if_match(value)


BULK = {202: {"model": JobOut, "description": "More than 1,000 details: a job"}, **problems(404, 409, 412, 413)}
IfMatchWhenSent = Annotated[int | None, Depends(if_match_when_sent)]


@routes.get("/lines", dependencies=[role(*READERS)], responses=problems(404))
async def list_lines(invoice_id: UUID, session: Tx, wanted: Annotated[PageQuery, Query()]) -> Page[LineOut]:
    """One line per contract line, also where nothing of it is billed."""
    invoice = await invoices.one(session, invoice_id)
    rows = await queries.lines(session, invoice_id, pages.after_id(wanted.after), wanted.limit)
    page, following = pages.cut(rows, wanted.limit, lambda row: row["id"])
    return Page(items=[LineOut.model_validate({**row, "currency": invoice.currency}) for row in page], next=following)


@routes.get("/details", dependencies=[role(*READERS)], responses=problems(404))
async def list_details(invoice_id: UUID, session: Tx, wanted: Annotated[DetailQuery, Query()]) -> Page[DetailOut]:
    """The billed items, in the order in which they came."""
    invoice = await invoices.one(session, invoice_id)
    rows = await queries.page(session, invoice_id, wanted, pages.after_id(wanted.after), wanted.limit)
    page, following = pages.cut(rows, wanted.limit, lambda row: row["id"])
    return Page(items=await service.shown(session, invoice, page), next=following)


@routes.delete(
    "/details/{detail_id}", status_code=204, dependencies=[role(*EDITORS)], responses=problems(404, 409, 412, 428)
)
async def remove_detail(invoice_id: UUID, detail_id: UUID, session: Tx, context: Ctx, expected: IfMatch) -> Response:
    """Removes one detail from a draft; its item is ready again. ETag and If-Match are the invoice's."""
    invoice = await service.remove_one(session, context, invoice_id, detail_id, expected)
    response = Response(status_code=204)
    etag(response, invoice.version)
    return response


@routes.post("/details/remove", dependencies=[role(*EDITORS)], response_model=BulkResult, responses=BULK)
async def remove_details(
    invoice_id: UUID,
    body: RemoveIn,
    session: Tx,
    context: Ctx,
    expected: IfMatchWhenSent,
) -> Response | BulkResult:
    """Removes details from a draft; their items are ready again. Ids that the invoice does not have are unchanged."""
    if body.filter is not None:
        return answer(await service.remove_where(session, context, invoice_id, body.filter, expected))
    return await service.remove_many(session, context, invoice_id, body.ids or [], expected)


def answer(result: BulkResult | JobOut) -> Response | BulkResult:
    """200 with what was done, or 202 with the job that does it."""
    if isinstance(result, BulkResult):
        return result
    return JSONResponse(result.model_dump(mode="json"), 202, {"Location": f"/v1/jobs/{result.id}"})
