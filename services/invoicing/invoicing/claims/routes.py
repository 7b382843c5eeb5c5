"""HTTP of giving claims back: one, or all by discarding the draft."""

from uuid import UUID

from fastapi import Response

from invoicing.claims import service
from invoicing.invoices.routes import EDITORS
from invoicing.invoices.schemas import InvoiceOut, WhyIn
from proforma.auth import role
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

routes = router("/v1/invoices/{invoice_id}", "invoices")


@routes.post("/claims/{claim_id}/drop", dependencies=[role(*EDITORS)], responses=problems(404, 409, 412, 413, 428))
async def drop_claim(
    invoice_id: UUID,
    claim_id: UUID,
    session: Tx,
    context: Ctx,
    expected: IfMatch,
    response: Response,
    body: WhyIn | None = None,
) -> InvoiceOut:
    """Takes one claim off a draft, or ends `building`: its items are ready again and its late chunks do nothing."""
    reason = body.reason if body else None
    invoice = await service.drop(session, context, invoice_id, claim_id, expected, reason)
    etag(response, invoice.version)
    return InvoiceOut.model_validate(invoice)


@routes.post("/discard", dependencies=[role(*EDITORS)], responses=problems(404, 409, 412, 413, 428))
async def discard_invoice(
    invoice_id: UUID, session: Tx, context: Ctx, expected: IfMatch, response: Response, body: WhyIn | None = None
) -> InvoiceOut:
    """Gives a draft up: every claimed item is ready again; the record stays, as discarded."""
    invoice = await service.discard(session, context, invoice_id, expected, body.reason if body else None)
    etag(response, invoice.version)
    return InvoiceOut.model_validate(invoice)
