"""HTTP of correcting and voiding."""

from uuid import UUID

from fastapi import Response

from invoicing.corrections import service
from invoicing.corrections.schemas import CorrectIn
from invoicing.invoices.schemas import InvoiceOut, WhyIn
from proforma.auth import role
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

routes = router("/v1/invoices/{invoice_id}", "invoices")


@routes.post("/correct", status_code=201, dependencies=[role("manager")], responses=problems(404, 409, 412, 413, 428))
async def correct_invoice(
    invoice_id: UUID,
    session: Tx,
    context: Ctx,
    expected: IfMatch,
    response: Response,
    body: CorrectIn | None = None,
) -> InvoiceOut:
    """Makes a corrective draft of a confirmed invoice: every detail that is still billed, or `detail_ids`, at zero.

    On it, set the quantity that should be billed; remove a detail and the original stays billed. Its totals are the
    differences. Refused: `posting_pending` until the ledger has the invoice, `on_corrective` (with `corrective_id`)
    while another corrective has one of the details, `wrong_state` when nothing of it is billed any more.
    """
    wanted = body or CorrectIn()
    invoice = await service.correct(session, context, invoice_id, expected, wanted.detail_ids, wanted.reason)
    etag(response, invoice.version)
    return InvoiceOut.model_validate(invoice)


@routes.post("/void", status_code=201, dependencies=[role("manager")], responses=problems(404, 409, 412, 413, 428))
async def void_invoice(
    invoice_id: UUID, session: Tx, context: Ctx, expected: IfMatch, response: Response, body: WhyIn | None = None
) -> InvoiceOut:
    """Takes a confirmed invoice back in full: makes a corrective of everything at zero and confirms it, in one.

    Answers the corrective. Refused as `correct` is.
    """
    invoice = await service.void(session, context, invoice_id, expected, body.reason if body else None)
    etag(response, invoice.version)
    return InvoiceOut.model_validate(invoice)
