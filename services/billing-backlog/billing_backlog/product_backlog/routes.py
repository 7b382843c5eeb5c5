"""`/v1/product-backlog`: product lines to be billed, and the verbs of billers."""

from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import JSONResponse

from billing_backlog.product_backlog import queries, service
from billing_backlog.product_backlog.schemas import ProductItemOut, ProductQuery, ProductsIn
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import BulkResult, JobOut, Page
from proforma.http import Ctx, Tx, router
from proforma.problems import problems

READ = role(*(ROLES - {"submitter"}))
WRITE = role("biller", "manager")
_BULK = {202: {"model": JobOut, "description": "More than 1,000 product lines: a job"}, **problems(409, 413)}

routes = router("/v1/product-backlog", "product backlog")


@routes.get("", dependencies=[READ])
async def list_products(wanted: Annotated[ProductQuery, Query()], session: Tx, context: Ctx) -> Page[ProductItemOut]:
    """What product lines bill, by the line's id."""
    found = await queries.page(session, context.clock.now(), wanted)
    rows, following = pages.cut(found, wanted.limit, lambda row: row["id"])
    return Page(items=[ProductItemOut.model_validate(dict(row)) for row in rows], next=following)


@routes.post("/mark-ready", dependencies=[WRITE], response_model=BulkResult, responses=_BULK)
async def mark_ready(body: ProductsIn, session: Tx, context: Ctx) -> Response | BulkResult:
    """Product lines that are delivered: the next invoice of their contract takes them."""
    return _answer(await service.mark(session, context, body, service.READY))


@routes.post("/unmark-ready", dependencies=[WRITE], response_model=BulkResult, responses=_BULK)
async def unmark_ready(body: ProductsIn, session: Tx, context: Ctx) -> Response | BulkResult:
    """Back to unbilled, while they are on no invoice."""
    return _answer(await service.mark(session, context, body, service.UNREADY))


def _answer(result: BulkResult | JobOut) -> Response | BulkResult:
    if isinstance(result, BulkResult):
        return result
    return JSONResponse(result.model_dump(mode="json"), 202, {"Location": f"/v1/jobs/{result.id}"})
