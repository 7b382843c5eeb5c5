"""HTTP of marking invoices as paid."""

from uuid import UUID

from fastapi import Response

from invoicing.details.routes import answer
from invoicing.invoices.schemas import InvoiceOut
from invoicing.payments import service
from invoicing.payments.schemas import PaidIn
from proforma.auth import role
from proforma.bodies import BulkResult, JobOut
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

routes = router("/v1/invoices", "invoices")
_BULK = {202: {"model": JobOut, "description": "More than 1,000 invoices: a job"}, **problems(413)}


@routes.post("/mark-paid", dependencies=[role("manager")], response_model=BulkResult, responses=_BULK)
async def mark_invoices_paid(body: PaidIn, session: Tx, context: Ctx) -> Response | BulkResult:
    """Marks confirmed invoices as paid. Refused are, each for itself: `not_found`, `wrong_state`."""
    if body.filter is not None:
        return answer(await service.mark_paid_where(session, context, body.filter))
    return await service.mark_many_paid(session, context, body.ids or [])


@routes.post("/{invoice_id}/mark-paid", dependencies=[role("manager")], responses=problems(404, 409, 412, 428))
async def mark_invoice_paid(
    invoice_id: UUID, session: Tx, context: Ctx, expected: IfMatch, response: Response
) -> InvoiceOut:
    """Marks a confirmed invoice as paid. A paid one can still be corrected."""
    invoice = await service.mark_paid(session, context, invoice_id, expected)
    etag(response, invoice.version)
    return InvoiceOut.model_validate(invoice)
