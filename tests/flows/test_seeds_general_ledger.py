"""The seeds as acceptance, S-23: the confirmed proforma appears in accounting, read from the topics by the example."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from examples.integrate.cloudevents import attribute
from examples.integrate.general_ledger import TOPICS, follow
from examples.integrate.postings import ACCRUED, CUSTOMER, ON_ACCOUNT, REVENUE, TAX, WIP
from examples.integrate.store import Received, Store
from proforma.clock import new_id
from tests.flows.firm import DAY, FREE, UNBILLED, Firm, item, numbers
from tests.support.kafka import Broker
from tests.support.waits import eventually

EUR = "EUR"


@asynccontextmanager
async def reading(broker: Broker, store: Store) -> AsyncIterator[None]:
    """The example at work, beside Proforma, on the same Kafka."""
    stop = asyncio.Event()
    task = asyncio.create_task(follow(broker.bootstrap, store, stop, prefix=broker.prefix))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await task


def accounts(**amounts: int) -> dict[tuple[str, str], Decimal]:
    """Balances in EUR, under the names that this test has for the accounts."""
    names = {
        "wip": WIP, "accrued": ACCRUED, "customer": CUSTOMER, "revenue": REVENUE, "on_account": ON_ACCOUNT, "tax": TAX
    }  # fmt: skip
    return {(names[name], EUR): Decimal(amount) for name, amount in amounts.items()}


async def stands(store: Store, wanted: dict[tuple[str, str], Decimal]) -> None:
    """Waits until the accounts stand so."""

    async def same() -> bool:
        return store.balances() == dict(sorted(wanted.items()))

    try:
        await eventually(same, 60)
    except AssertionError:
        assert store.balances() == wanted


async def is_closed(firm: Firm, store: Store, invoice_id: str, items: int) -> None:
    """The invoice balances, in all and account by account, and of the items that it bills nothing is in progress."""
    of = store.balances(invoice_id=invoice_id)
    assert sum(of.values()) == 0
    assert of.get((WIP, EUR), 0) == -of.get((ACCRUED, EUR), 0)
    shown = await firm.invoice(invoice_id)
    assert [of[CUSTOMER, EUR]] == numbers(shown, "total"), "the customer owes what the invoice says"
    unbilled = await firm.product.all("billing-backlog", "/v1/actuals", invoice_id=invoice_id, type=UNBILLED)
    billed = [one["reverses"] for one in unbilled if one["reverses"]]
    assert len(billed) == items
    for original in billed:
        assert set(store.balances(subject=original).values()) <= {Decimal(0)}, original


async def test_s_23_confirmed_proforma_in_accounting(firm: Firm, broker: Broker, tmp_path: Path) -> None:
    """S-23: "confirmed proforma appears in project accounting"; the postings are those of domain §3.6."""
    with Store(tmp_path / "ledger.sqlite") as store:
        async with reading(broker, store):
            await _one_invoice_and_its_correction(firm, store)
            await firm.is_sound()
        before = store.balances()
        await _again(broker, store)
        assert store.balances() == before
        await _agrees(firm, store)


async def _one_invoice_and_its_correction(firm: Firm, store: Store) -> None:
    entry_id = await firm.worked()
    less = await firm.worked()
    await firm.worked("1", "expense")
    later = await firm.worked("4")
    free = await firm.submitted("3")
    await firm.approve(free, billing_type=FREE)
    await stands(store, accounts(wip=1600 + 1600 + 275 + 800, accrued=-4275))
    await firm.mark_ready(*[one["id"] for one in await firm.items(contract_id=firm.contract_id)
                            if one["entry_id"] != later])  # fmt: skip
    await firm.mark_ready(firm.milestones["concept"], of="milestones")
    await firm.mark_ready(firm.lines["routers"], of="product-backlog")
    draft = await firm.drafted()
    details = await firm.details(draft["id"])
    await firm.edit(draft["id"], item(details, entry_id=less)["id"], quantity="6", remainder="return")
    fee = {"class": "fee", "contract_line_id": firm.lines["work"], "date": DAY, "quantity": "1", "price": "300",
           "tax": "60"}  # fmt: skip
    await firm.invoicing("POST", f"/v1/invoices/{draft['id']}/details", fee, "biller")
    original = await firm.confirm(draft["id"])
    owed = 1600 + 1200 + 275 + 5000 + 500 + 300 + 60
    invoiced = accounts(wip=800 + 400, accrued=-1200, customer=owed, revenue=-3875, on_account=-5000, tax=-60)
    await stands(store, invoiced)
    await is_closed(firm, store, original["id"], items=4)
    corrective = await _corrected(firm, original["id"], entry_id, "6")
    await stands(
        store, accounts(wip=1600, accrued=-1600, customer=owed - 400, revenue=-3475, on_account=-5000, tax=-60)
    )
    await is_closed(firm, store, corrective["id"], items=0)


async def _corrected(firm: Firm, invoice_id: str, entry_id: str, quantity: str) -> dict[str, Any]:
    """A confirmed corrective of one detail; all others stay billed as they are."""
    corrective = await firm.invoicing("POST", f"/v1/invoices/{invoice_id}/correct", {}, headers={"If-Match": "*"})
    details = await firm.details(corrective["id"])
    wrong = item(details, entry_id=entry_id)
    others = {"ids": [one["id"] for one in details if one != wrong]}
    await firm.invoicing("POST", f"/v1/invoices/{corrective['id']}/details/remove", others, "biller")
    await firm.edit(corrective["id"], wrong["id"], quantity=quantity)
    return await firm.confirm(corrective["id"])


async def _again(broker: Broker, store: Store) -> None:
    """Both topics once more from the beginning, shuffled: first as they were, then under ids that nobody has seen."""
    records = [record for topic in TOPICS for record in await broker.read(topic)]
    again = [Received(attribute(one.headers, "ce_id"), one.type or "", one.value or b"") for one in records]
    assert store.take(again) == 0
    strange = [Received(str(new_id()), one.ce_type, one.body) for one in again]
    random.Random(23).shuffle(strange)
    assert store.take(strange) > 5


async def _agrees(firm: Firm, store: Store) -> None:
    """The general ledger and Proforma say the same of the contract, but for what was never accrued: the milestone."""
    total = (await firm.backlog("GET", f"/v1/contracts/{firm.contract_id}/summary"))["total"]
    stood = store.balances()
    assert sum(stood.values()) == 0
    assert numbers(total, "billed") == [-(stood[REVENUE, EUR] + stood[ON_ACCOUNT, EUR])] == [8475]
    assert sum(numbers(total, "unbilled", "ready", "on_draft")) - 12_000 == stood[WIP, EUR] == -stood[ACCRUED, EUR]
