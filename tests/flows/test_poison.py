"""Poisoned messages among good ones: set aside with the reason, the neighbours handled, repair possible."""

from dataclasses import replace

from proforma.envelope import Record
from proforma.events.time_expense import EntriesApproved
from tests.billing_backlog.scene import entry, firm, items, violations
from tests.conftest import MakeApi, MakeTopics
from tests.support.events import record_of
from tests.support.kafka import Broker
from tests.support.product import Product
from tests.support.waits import eventually


async def test_poison_among_neighbours(api: MakeApi, make_topics: MakeTopics, broker: Broker) -> None:
    backlog = await api("billing-backlog")
    product = Product({"billing-backlog": backlog})
    runtime = backlog.runtime
    await firm(runtime)
    await make_topics(
        "time-expense.entries", "invoicing.invoices", "scheduler.triggers", "billing-backlog.contracts",
        "billing-backlog.claims", "billing-backlog.answers", "billing-backlog.actuals", partitions=1,
    )  # fmt: skip

    def approval(n: int, **changes: object) -> Record:
        return record_of(EntriesApproved(entries=[entry(n, **changes)]))

    broken = replace(approval(2), value=b'{"entries": [')
    unknown = approval(4)
    unknown = replace(
        unknown,
        headers=[(name, b"proforma.time-expense.entries.approved.v9" if name == "ce_type" else text)
                 for name, text in unknown.headers],
    )  # fmt: skip
    forged = approval(1, quantity="7")
    other = replace(approval(9), headers=[("ce_type", b"somebody.else.v1")])
    await broker.send(approval(1), broken, approval(3), unknown, forged, other, approval(5))
    async with product.working(["billing-backlog"]):

        async def handled() -> bool:
            return len(await items(runtime)) == 3

        await eventually(handled, 60)

        async def set_aside() -> bool:
            return len((await backlog.as_("admin").get("/v1/dead-letters")).json()["items"]) == 3

        await eventually(set_aside, 60)
    admin = backlog.as_("admin")
    letters = {one["offset"]: one for one in (await admin.get("/v1/dead-letters")).json()["items"]}
    assert sorted(letters) == [1, 3, 4]
    assert "Invalid JSON" in letters[1]["reason"]
    assert "does not know" in letters[3]["reason"]
    assert "another content" in letters[4]["reason"]
    still = await admin.post(f"/v1/dead-letters/{letters[4]['id']}/replay")
    assert still.status_code == 409
    repaired = EntriesApproved(entries=[entry(2)]).model_dump_json(by_alias=True)
    done = await admin.post(f"/v1/dead-letters/{letters[1]['id']}/replay", json={"body": repaired})
    assert (done.status_code, done.json()["status"]) == (200, "replayed")
    assert len(await items(runtime)) == 4
    dropped = await admin.post(f"/v1/dead-letters/{letters[4]['id']}/drop", json={"reason": "a forgery"})
    assert dropped.json()["decision_reason"] == "a forgery"
    assert await violations(runtime) == []
