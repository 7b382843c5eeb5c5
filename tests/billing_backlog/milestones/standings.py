"""Where a milestone or product line stands: put on an invoice and posted, as claims and confirmations do it."""

from typing import Any
from uuid import UUID

from proforma.clock import new_id
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json, Masters
from tests.billing_backlog.scene import AT
from tests.support.rows import change, value

BILL = """
insert into actuals (id, type, class, cause, date, accounting_date, posted_at, posted_by, quantity, unit, price, amount,
                     tax, currency, contract_id, contract_line_id, item_id, invoice_id, reverses, billing_status)
values ($1, 'billed_sales', 'milestone', 'confirm', '2026-03-02', '2026-03-02', $2, 't', 1, 'each', $3::text::numeric,
        $3::text::numeric, 0, 'EUR', $4, $5, $6, $7, $8, 'posted')
"""


async def put_on_invoice(runtime: Runtime, desk: Masters, contract: Json, thing: Json, *, posted: bool = False) -> UUID:
    """Marks it ready, claims it, and lets the claim be drafted and confirmed where asked for; returns the invoice."""
    noun = "milestones" if "contract_line_id" in thing else "product-backlog"
    assert (await desk.mark(noun, thing))["refused"] == []
    run = await desk.invoice(contract, item_ids=[thing["id"]])
    assert run["status"] == "claimed"
    invoice = UUID(run["claims"][0]["id"])
    await change(runtime, "update claims set status = 'drafted', invoice_id = id where id = $1", invoice)
    if posted:
        await change(runtime, "delete from items where id = $1", UUID(thing["id"]))
        await ledger_row(runtime, contract, thing, invoice=invoice)
    return invoice


async def ledger_row(
    runtime: Runtime, contract: Json, thing: Json, invoice: UUID | None = None, reverses: Any = None
) -> UUID:
    """A billed row of the thing, or its reversal."""
    made = new_id()
    line = UUID(thing.get("contract_line_id", thing["id"]))
    amount = thing["amount"]
    if reverses is not None:
        amount = "-" + amount
        assert await value(runtime, "select count(*) from actuals where id = $1", reverses) == 1
    await change(runtime, BILL, made, AT, amount, UUID(contract["id"]), line, UUID(thing["id"]), invoice, reverses)
    return made
