"""The seeds as acceptance, S-22: the invoice is a proposal; what the customer gets, a finance system makes of it."""

import json
from decimal import Decimal

from tests.flows.firm import BILLED, CHARGEABLE, COST, UNBILLED, Firm, item, numbers, rows
from tests.support.kafka import Broker


async def _rate(firm: Firm, currency: str, day: str, rate: str) -> None:
    body = {"from": currency, "to": "EUR", "date": day, "rate": rate}
    await firm.backlog("POST", "/v1/exchange-rates", body)


async def test_s_22_the_invoice_is_a_proposal(firm: Firm, broker: Broker) -> None:
    """S-22: "PSA/Core invoice is a proposal: no tax, no currency conversion, … finance system makes the … document".

    The invoice itself converts nothing: an expense in another currency is converted once, by the rate of its day, when
    it is approved. 3 × 120.50 USD on 28 February at 0.92345 and 10 % are 122.4032975, so 122.4033 each and 367.21
    together; rounded after each step, or at the rate of March, they would be 367.22 or 377.77.
    """
    await _rate(firm, "USD", "2026-02-01", "0.92345")
    await _rate(firm, "USD", "2026-03-01", "0.95")
    february = await firm.worked("3", "expense", date="2026-02-28", unit_cost="120.50", currency="USD")
    march = await firm.worked("1", "expense", date="2026-03-01", unit_cost="100", currency="USD")
    hours = await firm.worked()
    await firm.mark_ready()
    draft = await firm.drafted()
    details = {one["entry_id"]: one for one in await firm.details(draft["id"])}
    assert numbers(details[february], "price", "amount", "tax") == [Decimal("122.4033"), Decimal("367.21"), 0]
    assert numbers(details[march], "price", "amount", "tax") == [Decimal("104.5"), Decimal("104.5"), 0]
    assert {one["currency"] for one in details.values()} == {"EUR"}
    invoice = await firm.confirm(draft["id"])
    assert (invoice["currency"], invoice["subtotal"], invoice["tax"], invoice["total"]) == (
        "EUR", "2071.71", "0.00", "2071.71"
    )  # fmt: skip
    assert await firm.ledger(entry_id=february) == rows(
        (COST, CHARGEABLE, 3, "361.50"), (UNBILLED, CHARGEABLE, 3, "367.21"), (UNBILLED, CHARGEABLE, -3, "-367.21"),
        (BILLED, CHARGEABLE, 3, "367.21"),
    )  # fmt: skip
    costs = await firm.product.all("billing-backlog", "/v1/actuals", type=COST)
    assert {one["entry_id"]: one["currency"] for one in costs} == {february: "USD", march: "USD", hours: "EUR"}
    await firm.is_sound()
    await _finance_has_it(broker, invoice["id"], Decimal("2071.71"))


async def _finance_has_it(broker: Broker, invoice_id: str, total: Decimal) -> None:
    """The general ledger reads every row that bills the invoice from Kafka, with amount, currency and tax."""
    told = [
        row
        for record in await broker.read("billing-backlog.actuals")
        for row in json.loads(record.value or b"")["actuals"]
    ]
    billed = [row for row in told if row["type"] == BILLED]
    assert sum(Decimal(row["amount"]) for row in billed) == total
    assert {(row["invoice_id"], row["currency"], Decimal(row["tax"])) for row in billed} == {
        (invoice_id, "EUR", Decimal(0))
    }  # fmt: skip


async def test_a_missing_exchange_rate_is_never_guessed(firm: Firm) -> None:
    """An amount in a currency without a rate of its day is no amount, and bills when the rate has been written down."""
    await _rate(firm, "GBP", "2026-03-01", "1.20")
    early = await firm.worked("1", "expense", date="2026-02-28", unit_cost="100", currency="GBP")
    unpriced = item(await firm.items(contract_id=firm.contract_id), entry_id=early)
    assert (unpriced["price"], unpriced["amount"]) == (None, None)
    assert "no_exchange_rate" in unpriced["reasons"]
    (refusal,) = (await firm.mark_ready(unpriced["id"]))["refused"]
    assert (refusal["id"], refusal["reason"]) == (unpriced["id"], "no_exchange_rate")
    await _rate(firm, "GBP", "2026-02-28", "1.10")
    job = await firm.backlog("POST", f"/v1/contracts/{firm.contract_id}/re-evaluate", role="manager")
    await firm.product.job("billing-backlog", job)
    await firm.mark_ready()
    invoice = await firm.confirm((await firm.drafted())["id"])
    assert (invoice["details"], invoice["total"]) == (1, "121.00")
    billed = await firm.ledger(entry_id=early, type=BILLED)
    assert billed == rows((BILLED, CHARGEABLE, 1, 121))
    await firm.is_sound()
