"""One entry from its approval to billed sales is one trace, over HTTP, four services and Kafka."""

from functools import partial
from typing import Any

from tests.conftest import MakeApi, MakeTopics
from tests.flows.firm import BILLED, CHARGEABLE, COST, UNBILLED, Firm, rows
from tests.support.product import SERVICES, together
from tests.support.spans import Collector, Seen, lineage
from tests.support.waits import eventually

TRACE = "a" * 32
CALLER = "b" * 16
ROLES = ("submitter", "approver", "biller", "manager")

# Hop by hop, newest first: what the ledger's billed row, and the draft before it, came of.
BILLED_SALES = [
    ("billing-backlog", "process invoicing.invoices"),
    ("invoicing", "send invoicing.invoices"),
    ("invoicing", "POST /v1/invoices/{invoice_id}/confirm"),
]
DRAFT = [
    ("invoicing", "process billing-backlog.claims"),
    ("billing-backlog", "send billing-backlog.claims"),
    ("billing-backlog", "POST /v1/contracts/{contract_id}/create-invoice"),
]
UNBILLED_SALES = [
    ("billing-backlog", "process time-expense.entries"),
    ("time-expense", "send time-expense.entries"),
    ("time-expense", "POST /v1/entries/{entry_id}/approve"),
]
ANSWER = [("invoicing", "process billing-backlog.answers"), ("billing-backlog", "send billing-backlog.answers")]
TOLD = [("billing-backlog", "process invoicing.invoices"), ("invoicing", "send invoicing.invoices")]
LEDGER = [("billing-backlog", "send billing-backlog.actuals")]
CHAINS = [
    UNBILLED_SALES, LEDGER + UNBILLED_SALES, DRAFT, TOLD + DRAFT, BILLED_SALES, LEDGER + BILLED_SALES,
    ANSWER + BILLED_SALES,
]  # fmt: skip


def chain(spans: list[Seen], one: Seen) -> list[tuple[str, str]]:
    return [(span.service, span.name) for span in lineage(spans, one)]


async def test_from_approve_to_billed_sales(api: MakeApi, make_topics: MakeTopics) -> None:
    collector = Collector()
    product = await together(api, make_topics, partitions=1, tracing=collector.tracing)
    async with product.working():
        firm = Firm(product)
        await firm.open()
        entry_id = await firm.submitted()
        await product.quiet()
        collector.clear()
        for service in SERVICES:
            for role in ROLES:
                firm.client(service, role).headers["traceparent"] = f"00-{TRACE}-{CALLER}-01"
        await firm.approve(entry_id)
        (item,) = await firm.items()
        await firm.mark_ready(item["id"])
        await firm.confirm((await firm.drafted())["id"])
        assert await firm.ledger(entry_id=entry_id) == rows(
            (COST, CHARGEABLE, 8, 800), (UNBILLED, CHARGEABLE, 8, 1600), (UNBILLED, CHARGEABLE, -8, -1600),
            (BILLED, CHARGEABLE, 8, 1600),
        )  # fmt: skip
        for wanted in CHAINS:
            await eventually(partial(has, collector, wanted))
    spans = collector.spans()
    money = [span for span in spans if not span.name.startswith("GET")]
    # Whoever calls has one trace of its own for all that it does: the product has put nothing into another one.
    assert {span.trace for span in money} == {TRACE}
    known = {span.id for span in spans} | {CALLER}
    assert {span.parent for span in money} <= known
    assert not [span for span in spans if span.failed]
    assert {span.service for span in money} == {"time-expense", "billing-backlog", "invoicing"}


async def has(collector: Collector, wanted: list[tuple[str, str]]) -> bool:
    """Whether some span ends this chain, whose beginning is a call with the caller's own span as its parent."""
    spans = collector.spans()
    found: list[Any] = [span for span in spans if chain(spans, span) == wanted]
    return bool(found) and {list(lineage(spans, one))[-1].parent for one in found} == {CALLER}
