"""Where a milestone or product line stands: on an invoice, posted, credited, as events make it so."""

from uuid import UUID

from proforma.clock import derived_id
from proforma.events.invoicing import ConfirmedDetail
from proforma.runtime import Runtime
from tests.billing_backlog.confirmed import confirm, corrected, zero
from tests.billing_backlog.masters import Json, Masters
from tests.billing_backlog.scene import claimed, confirmation
from tests.support.rows import change


async def put_on_invoice(runtime: Runtime, desk: Masters, contract: Json, thing: Json, *, posted: bool = False) -> UUID:
    """Marks it ready and claims it, and confirms the claim's draft where asked for; returns the invoice."""
    noun = "milestones" if "contract_line_id" in thing else "product-backlog"
    assert (await desk.mark(noun, thing))["refused"] == []
    run = await desk.invoice(contract, item_ids=[thing["id"]])
    assert run["status"] == "claimed"
    invoice = UUID(run["claims"][0]["id"])
    await change(runtime, "update claims set status = 'drafted', invoice_id = id where id = $1", invoice)
    if posted:
        await confirm(runtime, await _details(runtime, invoice), 1, invoice_id=invoice, **_terms(contract))
    return invoice


async def billed_and_credited(runtime: Runtime, desk: Masters, contract: Json, thing: Json) -> None:
    """It was on a confirmed invoice, and is credited in full."""
    invoice = await put_on_invoice(runtime, desk, contract, thing, posted=True)
    credit = [corrected(detail, zero(detail)) for detail in await _details(runtime, invoice)]
    header = {"invoice_id": derived_id("credit of", invoice), "original_id": invoice, **_terms(contract)}
    await confirm(runtime, credit, 2, kind="corrective", **header)


def _terms(contract: Json) -> dict[str, UUID]:
    return {"contract_id": UUID(contract["id"]), "customer_id": UUID(contract["customer_id"])}


async def _details(runtime: Runtime, claim_id: UUID) -> list[ConfirmedDetail]:
    chunks = confirmation([chunk for chunk in await claimed(runtime) if chunk.claim.id == claim_id])
    return [detail for chunk in chunks for detail in chunk.details]
