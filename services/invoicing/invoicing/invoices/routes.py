"""HTTP of invoices: list, edit, history. One invoice is shown by `documents`."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from invoicing.invoices import queries, service
from invoicing.invoices.schemas import HistoryOut, InvoiceEdit, InvoiceFilter, InvoiceOut, PageQuery
from proforma import pages
from proforma.auth import role
from proforma.bodies import Page
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

READERS = ("approver", "biller", "manager", "service")
"""Everyone but submitters, who see their own entries only."""
EDITORS = ("biller", "manager")

routes = router("/v1/invoices", "invoices")


@routes.get("", dependencies=[role(*READERS)])
async def list_invoices(session: Tx, wanted: Annotated[InvoiceFilter, Query()]) -> Page[InvoiceOut]:
    """Invoices in the order of their ids."""
    rows = await queries.page(session, wanted)
    page, following = pages.cut(rows, wanted.limit, lambda invoice: invoice.id)
    return Page(items=[InvoiceOut.model_validate(invoice) for invoice in page], next=following)


@routes.patch("/{invoice_id}", dependencies=[role(*EDITORS)], responses=problems(404, 409, 412, 413, 428))
async def edit_invoice(
    invoice_id: UUID, body: InvoiceEdit, session: Tx, context: Ctx, expected: IfMatch, response: Response
) -> InvoiceOut:
    """Edits a draft's dates, description or review status (`in_review` and back)."""
    invoice = await service.edit(session, context, invoice_id, expected, body.changes())
    etag(response, invoice.version)
    return InvoiceOut.model_validate(invoice)


@routes.get("/{invoice_id}/history", dependencies=[role(*READERS)], responses=problems(404))
async def invoice_history(invoice_id: UUID, session: Tx, wanted: Annotated[PageQuery, Query()]) -> Page[HistoryOut]:
    """Who did what, when, before and after; oldest first."""
    await queries.one(session, invoice_id)
    rows = await queries.history(session, invoice_id, pages.after_id(wanted.after), wanted.limit)
    page, following = pages.cut(rows, wanted.limit, lambda row: row["id"])
    return Page(items=[HistoryOut.model_validate(row) for row in page], next=following)
