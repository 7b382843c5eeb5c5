"""HTTP of editing an invoice's details and of adding some by hand."""

from uuid import UUID

from fastapi import Response

from invoicing.details.routes import BULK, IfMatchWhenSent, answer
from invoicing.details.schemas import DetailOut
from invoicing.editing import service
from invoicing.editing.schemas import DetailEdit, DetailsUpdate, HandIn
from invoicing.invoices.routes import EDITORS
from proforma.auth import role
from proforma.bodies import BulkResult, Items, OneOrMany, by_pointer
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

routes = router("/v1/invoices/{invoice_id}", "invoices")


@routes.patch("/details/{detail_id}", dependencies=[role(*EDITORS)], responses=problems(404, 409, 412, 413, 428))
async def edit_detail(
    invoice_id: UUID,
    detail_id: UUID,
    body: DetailEdit,
    session: Tx,
    context: Ctx,
    expected: IfMatch,
    response: Response,
) -> DetailOut:
    """Edits one detail of a draft. ETag and If-Match are the invoice's.

    The amount is the stored one while quantity and price are as they were claimed, else quantity x price, rounded once.
    """
    detail, invoice = await service.edit_one(session, context, invoice_id, detail_id, expected, body.changes())
    etag(response, invoice.version)
    return detail


@routes.post("/details/update", dependencies=[role(*EDITORS)], response_model=BulkResult, responses=BULK)
async def edit_details(
    invoice_id: UUID, body: DetailsUpdate, session: Tx, context: Ctx, expected: IfMatchWhenSent
) -> Response | BulkResult:
    """Edits details of a draft, each as far as it goes; with a filter over more than 1,000 as a job.

    Refused are, each for itself: `not_found`, `wrong_state` (a field that this detail does not have editable, or a
    value that it cannot have), `limit_exceeded`. `detail` says which field, and what is allowed.
    """
    sent = body.changes()
    fields = {name: value for name, value in sent.items() if name not in ("items", "ids", "filter")}
    if "filter" in sent:
        told = body.model_dump(mode="json", include=set(fields))
        return answer(await service.edit_where(session, context, invoice_id, expected, body.filter, fields, told))
    wanted = dict.fromkeys(sent.get("ids", []), fields)
    for item in sent.get("items", []):
        wanted[item.id] = {name: value for name, value in item.changes().items() if name != "id"}
    return await service.edit_many(session, context, invoice_id, expected, wanted)


@routes.post(
    "/details",
    status_code=201,
    dependencies=[role(*EDITORS)],
    responses=problems(404, 409, 412, 413),
    response_model=DetailOut | Items[DetailOut],
)
async def add_details(
    invoice_id: UUID,
    body: OneOrMany[HandIn],
    session: Tx,
    context: Ctx,
    expected: IfMatchWhenSent,
    response: Response,
) -> DetailOut | Items[DetailOut]:
    """Adds work by hand to a draft: one detail, or up to 1,000, all or none.

    Its class must be one that the contract line includes; a fixed-price line takes no fee: `class_not_included`.
    """
    made, invoice = await service.add(session, context, invoice_id, expected, by_pointer(body))
    etag(response, invoice.version)
    return Items(items=made) if isinstance(body, list) else made[0]
