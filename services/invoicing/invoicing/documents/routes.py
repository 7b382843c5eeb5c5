"""HTTP of one invoice: as JSON, or as a printable page."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Header, Request, Response
from fastapi.responses import StreamingResponse

from invoicing.documents import service
from invoicing.documents.rules import prefers_html
from invoicing.invoices import queries as invoices
from invoicing.invoices.routes import READERS
from invoicing.invoices.schemas import InvoiceOut
from proforma.auth import role
from proforma.http import Tx, etag, router
from proforma.problems import problems
from proforma.runtime import Runtime

routes = router("/v1/invoices", "invoices")

_PAGE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The invoice; a printable page with `Accept: text/html`",
        "content": {"text/html": {"schema": {"type": "string"}}},
    }
}
# The page loads nothing and runs nothing, whatever a customer's name contains.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@routes.get("/{invoice_id}", dependencies=[role(*READERS)], responses={**_PAGE, **problems(404)},
            response_model=InvoiceOut)  # fmt: skip
async def show_invoice(
    invoice_id: UUID,
    session: Tx,
    request: Request,
    response: Response,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Any:
    """One invoice. With `Accept: text/html` a printable proforma, its details grouped by line."""
    invoice = await invoices.one(session, invoice_id)
    shown: Any = InvoiceOut.model_validate(invoice)
    if prefers_html(accept):
        runtime: Runtime = request.app.state.runtime
        headers = {"Content-Security-Policy": _POLICY}
        page = service.page(runtime.database, invoice_id)
        shown = response = StreamingResponse(page, media_type="text/html", headers=headers)
    response.headers["Vary"] = "Accept"
    etag(response, invoice.version)
    return shown
