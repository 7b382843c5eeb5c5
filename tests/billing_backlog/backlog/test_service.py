"""What is open in money, as a gauge shows it."""

from prometheus_client import REGISTRY

from billing_backlog.backlog.service import measure
from billing_backlog.worker import build_work
from proforma.runtime import Runtime
from tests.billing_backlog.scene import all_ready, approve, entry, firm, run


def amount(status: str, currency: str = "EUR") -> float | None:
    return REGISTRY.get_sample_value("proforma_backlog_amount", {"currency": currency, "billing_status": status})


def unpriced(status: str) -> float | None:
    return REGISTRY.get_sample_value("proforma_backlog_unpriced_items", {"billing_status": status})


async def test_open_amounts_by_status_without_what_has_no_price(runtime: Runtime) -> None:
    (sums,) = build_work(runtime).sums

    async def measured() -> None:
        async with runtime.database.transaction() as session:
            await sums.take(session)

    assert sums.take is measure
    await measured()
    assert amount("unbilled") is None
    await firm(runtime)
    await approve(runtime, entry(1), entry(2), entry(3, role="poet"), entry(4, project="X"))
    await measured()
    assert (amount("unbilled"), amount("ready"), unpriced("unbilled")) == (3200, None, 1)
    await all_ready(runtime)
    await measured()
    assert (amount("unbilled"), amount("ready"), unpriced("unbilled"), unpriced("ready")) == (None, 3200, 1, 0)
    await run(runtime)
    await measured()
    assert (amount("ready"), amount("on_invoice")) == (None, 3200)
    assert amount("cost_only") is None
