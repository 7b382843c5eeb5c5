"""Closing against the ledger: what is on no invoice is reversed, what is on one can still be confirmed."""

from billing_backlog.worker import HANDLERS
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Masters
from tests.billing_backlog.scene import (
    CONTRACT,
    approve,
    claimed,
    confirmation,
    entry,
    firm,
    items,
    ready,
    rows,
    run,
    violations,
)
from tests.support.events import deliver

CLOSED = "select entry_id, quantity, amount from actuals where cause = 'close' order by quantity, entry_id"


async def test_closing_reverses_what_is_on_no_invoice(runtime: Runtime, desk: Masters) -> None:
    await firm(runtime)
    await ready(runtime, 1)
    await run(runtime)
    await ready(runtime, 2)
    await approve(runtime, entry(3, quantity="4"))
    before = {item["entry_id"]: item["billing_status"] for item in await items(runtime)}
    assert before == {entry(1).id: "on_invoice", entry(2).id: "ready", entry(3).id: "unbilled"}
    assert (await desk.verb(str(CONTRACT), "close")).status_code == 200

    (left,) = await items(runtime)
    assert (left["entry_id"], left["billing_status"]) == (entry(1).id, "on_invoice")
    reversed_rows = [(row["entry_id"], row["quantity"], row["amount"]) for row in await rows(runtime, CLOSED)]
    assert reversed_rows == [(entry(2).id, -8, -1600), (entry(3).id, -4, -800)]
    assert await violations(runtime) == []

    await deliver(runtime, HANDLERS, *confirmation(await claimed(runtime)))
    assert await items(runtime) == []
    billed = await rows(runtime, "select entry_id, amount from actuals where type = 'billed_sales'")
    assert billed == [{"entry_id": entry(1).id, "amount": 1600}]
    assert await violations(runtime) == []


async def test_work_that_is_approved_after_the_end_has_no_line(runtime: Runtime, desk: Masters) -> None:
    await firm(runtime)
    assert (await desk.verb(str(CONTRACT), "close")).status_code == 200
    await approve(runtime, entry(1))
    assert [item["billing_status"] for item in await items(runtime)] == ["cost_only"]
