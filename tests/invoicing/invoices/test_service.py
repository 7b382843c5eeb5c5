"""What lies on drafts in money, as a gauge shows it."""

from prometheus_client import REGISTRY

from invoicing.invoices.queries import OPEN_AMOUNTS
from invoicing.worker import build_work
from proforma.db import execute, fetch
from tests.invoicing.claimed import Desk


def amount(status: str) -> float | None:
    return REGISTRY.get_sample_value("proforma_draft_amount", {"currency": "EUR", "status": status})


async def test_drafts_by_status_until_they_are_confirmed(desk: Desk) -> None:
    (sums,) = build_work(desk.runtime).sums

    async def measured() -> None:
        async with desk.runtime.database.transaction() as session:
            await sums.take(session)

    await measured()
    assert amount("draft") is None
    one = await desk.draft(2)
    await desk.draft(1)
    await measured()
    assert amount("draft") == 4800
    assert (await desk.confirm(one)).is_success
    await measured()
    assert (amount("draft"), amount("confirmed")) == (1600, None)


async def test_it_reads_the_index_of_open_runs(desk: Desk) -> None:
    """Confirmed invoices only ever become more: what is read every minute must not."""
    async with desk.runtime.database.transaction() as session:
        await execute(session, "set local enable_seqscan = off")
        plan = await fetch(session, f"explain {OPEN_AMOUNTS}")
    assert "invoices_open_run_idx" in "\n".join(row[0] for row in plan)
