"""Agreed items by themselves: they follow their source, and one that is on an invoice does not move."""

from uuid import UUID

import pytest

from billing_backlog.agreed_items import service
from proforma.clock import new_id
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Masters
from tests.support.rows import change, rows


async def test_what_is_on_an_invoice_is_neither_rewritten_nor_removed(runtime: Runtime, desk: Masters) -> None:
    _, _, (made,) = await desk.fixed_price("1000")
    milestone = UUID(made["id"])
    await change(runtime, "update items set billing_status = 'on_invoice', claim_id = $1", new_id())
    await change(runtime, "update milestones set amount = 1")
    with pytest.raises(RuntimeError, match="on an invoice"):
        async with runtime.database.transaction() as session:
            await service.put(session, runtime.context(), "milestone", [milestone])
    async with runtime.database.transaction() as session:
        await service.remove(session, [milestone])
    assert [row["amount"] for row in await rows(runtime, "select amount from items")] == [1000]
