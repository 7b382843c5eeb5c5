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

TOPICS = (
    "time-expense.entries", "invoicing.invoices", "scheduler.triggers", "billing-backlog.contracts",
    "billing-backlog.claims", "billing-backlog.answers", "billing-backlog.actuals",
)  # fmt: skip


def approval(n: int, **changes: object) -> Record:
    return record_of(EntriesApproved(entries=[entry(n, **changes)]))


def poisoned() -> list[Record]:
    """Good ones at 0, 2 and 6; broken JSON at 1, an unknown version at 3, a forgery at 4, a stranger at 5."""
    broken = replace(approval(2), value=b'{"entries": [')
    version_9 = b"proforma.time-expense.entries.approved.v9"
    unknown = approval(4)
    headers = [(name, version_9 if name == "ce_type" else text) for name, text in unknown.headers]
    other = replace(approval(9), headers=[("ce_type", b"somebody.else.v1")])
    forged = approval(1, quantity="7")
    return [approval(1), broken, approval(3), replace(unknown, headers=headers), forged, other, approval(5)]


async def test_poison_among_neighbours(api: MakeApi, make_topics: MakeTopics, broker: Broker) -> None:
    backlog = await api("billing-backlog")
    runtime = backlog.runtime
    await firm(runtime)
    await make_topics(*TOPICS, partitions=1)
    await broker.send(*poisoned())
    async with Product({"billing-backlog": backlog}).working(["billing-backlog"]):

        async def handled() -> bool:
            letters = (await backlog.as_("admin").get("/v1/dead-letters")).json()["items"]
            return (len(await items(runtime)), len(letters)) == (3, 3)

        await eventually(handled, 60)
    admin = backlog.as_("admin")
    letters = {one["offset"]: one for one in (await admin.get("/v1/dead-letters")).json()["items"]}
    assert sorted(letters) == [1, 3, 4]
    for offset, reason in ((1, "Invalid JSON"), (3, "does not know"), (4, "another content")):
        assert reason in letters[offset]["reason"]
    still = await admin.post(f"/v1/dead-letters/{letters[4]['id']}/replay")
    assert still.status_code == 409
    repaired = EntriesApproved(entries=[entry(2)]).model_dump_json(by_alias=True)
    done = await admin.post(f"/v1/dead-letters/{letters[1]['id']}/replay", json={"body": repaired})
    assert (done.status_code, done.json()["status"]) == (200, "replayed")
    assert len(await items(runtime)) == 4
    dropped = await admin.post(f"/v1/dead-letters/{letters[4]['id']}/drop", json={"reason": "a forgery"})
    assert dropped.json()["decision_reason"] == "a forgery"
    assert await violations(runtime) == []
