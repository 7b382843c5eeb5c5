"""HTTP of confirming."""

from uuid import UUID

from fastapi import Response

from invoicing.confirmation import service
from invoicing.confirmation.schemas import ConfirmIn
from invoicing.invoices.schemas import InvoiceOut
from proforma.auth import role
from proforma.bodies import BulkResult
from proforma.errors import PreconditionRequired
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

routes = router("/v1/invoices", "invoices")


@routes.post("/confirm", dependencies=[role("manager")], responses=problems(413))
async def confirm_invoices(body: ConfirmIn, session: Tx, context: Ctx) -> BulkResult:
    """Confirms up to 1,000 reviewed invoices, one way.

    Refused are, each for itself: `not_found`, `wrong_state`, `stale` (not the version that was reviewed), `no_details`.
    """
    return await service.confirm_many(session, context, [(item.id, item.version) for item in body.items])


@routes.post("/{invoice_id}/confirm", dependencies=[role("manager")], responses=problems(404, 409, 412, 428))
async def confirm_invoice(
    invoice_id: UUID, session: Tx, context: Ctx, expected: IfMatch, response: Response
) -> InvoiceOut:
    """Confirms an invoice, one way: it gets its number and never changes again; the ledger follows (`posting`).

    If-Match names the version that was reviewed; `*` is answered 428, because nobody has reviewed "whatever it is now".
    """
    if expected is None:
        raise PreconditionRequired("confirm needs the ETag that you reviewed in If-Match; `*` is not enough")
    invoice = await service.confirm(session, context, invoice_id, expected)
    etag(response, invoice.version)
    return InvoiceOut.model_validate(invoice)
