"""The demo's second act: one small contract with everything that is not hours, a reduced draft and a correction.

Hours, an expense in another currency with a markup, material, a milestone of a fixed price and a product line come on
one invoice. The figures that must come out are worked out here, from the terms below and nothing else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from examples.check import round_half_up
from examples.client import DemoError, Service, Stack, wait_for

CURRENCY = "EUR"
DAY, LATER = "2026-02-05", "2199-12-31"
HOURS, HOUR_PRICE, HOUR_COST = Decimal("8.00"), Decimal("90.00"), Decimal("45.00")
FARE, FARE_CURRENCY, RATE, MARKUP = Decimal("120.50"), "USD", Decimal("0.92"), Decimal("10")
METRES, METRE_PRICE, METRE_COST = Decimal("40.00"), Decimal("4.50"), Decimal("2.80")
FIRST, SECOND = Decimal("7000.00"), Decimal("5000.00")
GATEWAYS, GATEWAY_PRICE = Decimal("3.00"), Decimal("450.00")
BILLED_HOURS, RIGHT_METRES = Decimal("6.00"), Decimal("30.00")


@dataclass(frozen=True, slots=True)
class Act:
    """What came of it: the invoice and its corrective, as confirmed and posted, and what came back."""

    invoice: Mapping[str, Any]
    corrective: Mapping[str, Any]
    details: list[dict[str, Any]]
    returned: Mapping[str, Any]


def told(act: Act) -> list[list[str]]:
    """The invoice and its corrective as rows of a table: what, quantity, price, amount."""
    rows = [["", "quantity", "price", "amount"]]
    for one in act.details:
        what = one["external_description"] or one["description"] or one["role"] or one["product"] or one["class"]
        free = "" if one["billing_type"] == "chargeable" else " (written off, not billed)"
        rows.append([f"{one['class']}: {what}{free}", one["quantity"], one["price"], f"{Decimal(one['amount']):,}"])
    for label, invoice in (("Total", act.invoice), ("Corrected by", act.corrective)):
        rows.append([f"{label} {invoice['number']}", "", "", f"{Decimal(invoice['total']):,}"])
    return rows


def amounts() -> dict[str, Decimal]:
    """Class → what the invoice must bill of it."""
    fare = round_half_up(FARE * RATE * (1 + MARKUP / 100), CURRENCY)
    return {
        "time": BILLED_HOURS * HOUR_PRICE, "expense": fare, "material": METRES * METRE_PRICE, "milestone": FIRST,
        "product": GATEWAYS * GATEWAY_PRICE,
    }  # fmt: skip


def play(stack: Stack, number: int) -> Act:
    """Sets up the contract, approves, drafts, reduces, confirms, and corrects; raises DemoError when a sum is off."""
    contract_id = _terms(stack, number)
    _approve(stack, number)
    _mark_all_ready(stack, contract_id)
    invoice = _bill(stack, contract_id)
    details = list(stack.invoicing.pages(f"/v1/invoices/{invoice['id']}/details"))
    corrective = _correct(stack, invoice, details)
    (returned,) = [one for one in stack.backlog.pages("/v1/backlog", contract_id=contract_id) if _is_cable(one)]
    _check(invoice, details, corrective, returned)
    return Act(invoice, corrective, details, returned)


def _terms(stack: Stack, number: int) -> str:
    """The contract, active, with its lines and milestones; its id."""
    own, backlog = f"~{number}", stack.backlog
    customer = backlog.post("/v1/customers", "biller", {"name": "Kiosk & Co", "external_id": f"kiosk{own}"})
    rates = [
        {"class": "time", "role": "installer", "price": str(HOUR_PRICE)},
        {"class": "expense", "category": "travel", "method": "markup", "markup_percent": str(MARKUP)},
        {"class": "material", "product": "CABLE", "unit": "m", "price": str(METRE_PRICE)},
    ]
    sales = _price_list(backlog, f"kiosk-sales{own}", "sales", rates)
    cost = _price_list(
        backlog, f"kiosk-cost{own}", "cost", [{"class": "time", "role": "installer", "price": str(HOUR_COST)}]
    )
    _exchange_rate(backlog)
    terms = {
        "name": "Kiosk roll-out", "external_id": f"kiosk{own}", "customer_id": customer["id"], "currency": CURRENCY,
        "sales_price_list_ids": [sales], "cost_price_list_id": cost,
    }  # fmt: skip
    contract_id = str(backlog.post("/v1/contracts", "biller", terms)["id"])
    fixed = _lines(backlog, contract_id, own)
    milestones = [
        {"contract_line_id": fixed, "name": name, "date": day, "amount": str(amount)}
        for name, day, amount in (("Concept accepted", DAY, FIRST), ("Kiosks in service", LATER, SECOND))
    ]
    backlog.create("/v1/milestones", "biller", milestones)
    backlog.post(f"/v1/contracts/{contract_id}/activate", "manager", If_Match="*")
    return contract_id


def _price_list(backlog: Service, external_id: str, kind: str, rates: list[dict[str, str]]) -> str:
    body = {"external_id": external_id, "name": "Kiosk rates", "kind": kind, "currency": CURRENCY, "rates": rates}
    return str(backlog.post("/v1/price-lists", "biller", body)["id"])


def _exchange_rate(backlog: Service) -> None:
    """One rate of that day for all plays."""
    body = {"from": FARE_CURRENCY, "to": CURRENCY, "date": "2026-01-01", "rate": str(RATE), "external_id": "demo"}
    if not backlog.get("/v1/exchange-rates", **{"from": FARE_CURRENCY, "to": CURRENCY})["items"]:
        backlog.post("/v1/exchange-rates", "biller", body)


def _lines(backlog: Service, contract_id: str, own: str) -> str:
    """The contract's three lines; returns the id of the one with a fixed price."""
    work = {
        "contract_id": contract_id, "name": "Installation", "kind": "project", "billing_method": "time_and_material",
        "project": f"KIOSK{own}", "includes": ["time", "expense", "material", "fee"],
    }  # fmt: skip
    fixed = {
        "contract_id": contract_id, "name": "Concept and software", "kind": "project", "billing_method": "fixed_price",
        "project": f"KIOSK-SOFTWARE{own}", "includes": ["time"], "contracted_amount": str(FIRST + SECOND),
    }  # fmt: skip
    product = {
        "contract_id": contract_id, "name": "Gateways", "kind": "product", "product": "GATEWAY",
        "quantity": str(GATEWAYS), "price": str(GATEWAY_PRICE),
    }  # fmt: skip
    made = backlog.create("/v1/contract-lines", "biller", [work, fixed, product])
    return str(made[1]["id"])


def _approve(stack: Stack, number: int) -> None:
    """Hours, a fare and cable, approved, in the form of any other time system's export."""
    own = f"~{number}"
    shared = {"project": f"KIOSK{own}", "resource": "mira.stein", "date": DAY}
    rows: list[dict[str, Any]] = [
        {**shared, "external_id": f"kiosk-time{own}", "class": "time", "role": "installer", "quantity": str(HOURS)},
        {
            **shared, "external_id": f"kiosk-fare{own}", "class": "expense", "category": "travel", "quantity": "1.00",
            "unit_cost": str(FARE), "currency": FARE_CURRENCY, "external_description": "Flight to the first site",
        },
        {
            **shared, "external_id": f"kiosk-cable{own}", "class": "material", "product": "CABLE", "unit": "m",
            "quantity": str(METRES), "unit_cost": str(METRE_COST), "currency": CURRENCY,
        },
    ]  # fmt: skip
    job = stack.entries.call(
        "POST", "/v1/entries/import", "approver", params={"state": "approved"},
        headers={"Content-Type": "application/x-ndjson"}, content="\n".join(map(json.dumps, rows)).encode(),
    ).json()  # fmt: skip
    ended = stack.entries.job(job, "approver", lambda _: None)
    if ended["result"]["created"] != len(rows):
        raise DemoError(f"{ended['result']['created']} of {len(rows)} entries were imported: {job['id']}")

    def look() -> bool | None:
        found = stack.backlog.get("/v1/backlog", project=f"KIOSK{own}")["items"]
        return True if len(found) == len(rows) else None

    wait_for("the backlog", look)


def _mark_all_ready(stack: Stack, contract_id: str) -> None:
    """The work, the first milestone (the second one's day is far away) and the product line."""
    for noun, count in (("backlog", 3), ("product-backlog", 1)):
        chosen = {"filter": {"contract_id": contract_id}}
        _expect(noun, stack.backlog.post(f"/v1/{noun}/mark-ready", "biller", chosen), count)
    first = next(one for one in stack.backlog.pages("/v1/milestones", contract_id=contract_id) if one["date"] == DAY)
    _expect("milestones", stack.backlog.post("/v1/milestones/mark-ready", "biller", {"ids": [first["id"]]}), 1)


def _expect(noun: str, answer: Mapping[str, Any], count: int) -> None:
    if answer["changed"] != count:
        raise DemoError(f"{answer['changed']} of {noun} marked ready, {count} should be: {answer['refused']}")


def _bill(stack: Stack, contract_id: str) -> dict[str, Any]:
    """Drafts, takes two of the eight hours off, and confirms what was seen; waits for the ledger."""
    run = stack.backlog.post(f"/v1/contracts/{contract_id}/create-invoice", "biller", {})

    def drafted() -> Any | None:
        found = stack.invoicing.get("/v1/invoices", run_id=run["id"], status="draft")["items"]
        return found[0] if found else None

    path = f"/v1/invoices/{wait_for('the draft', drafted)['id']}"
    hours = next(one for one in stack.invoicing.pages(f"{path}/details") if one["class"] == "time")
    change = {"quantity": str(BILLED_HOURS), "remainder": "write_off", "reason": "agreed on the phone"}
    stack.invoicing.call("PATCH", f"{path}/details/{hours['id']}", "biller", body=change, headers={"If-Match": "*"})
    return _confirmed(stack, path)


def _confirmed(stack: Stack, path: str) -> dict[str, Any]:
    seen = stack.invoicing.get(path)
    stack.invoicing.post(f"{path}/confirm", "manager", If_Match=f'"{seen["version"]}"')

    def posted() -> dict[str, Any] | None:
        now: dict[str, Any] = stack.invoicing.get(path)
        if now["posting"] == "blocked":
            raise DemoError(f"the posting of {now['number']} is blocked: {now['posting_reason']}")
        return now if now["posting"] == "posted" else None

    found: dict[str, Any] = wait_for("the posting", posted)
    return found


def _correct(stack: Stack, invoice: Mapping[str, Any], details: list[dict[str, Any]]) -> dict[str, Any]:
    """Ten metres of the cable were never laid: a corrective of that detail alone."""
    cable = next(one for one in details if one["class"] == "material")
    body = {"detail_ids": [cable["id"]]}
    made = stack.invoicing.post(f"/v1/invoices/{invoice['id']}/correct", "manager", body, If_Match="*")
    path = f"/v1/invoices/{made['id']}"
    (detail,) = stack.invoicing.pages(f"{path}/details")
    change = {"quantity": str(RIGHT_METRES)}
    stack.invoicing.call("PATCH", f"{path}/details/{detail['id']}", "biller", body=change, headers={"If-Match": "*"})
    return _confirmed(stack, path)


def _is_cable(item: Mapping[str, Any]) -> bool:
    return bool(item["product"] == "CABLE")


def _check(
    invoice: Mapping[str, Any],
    details: list[dict[str, Any]],
    corrective: Mapping[str, Any],
    returned: Mapping[str, Any],
) -> None:
    """Raises DemoError when any sum is not the one that the terms say."""
    expected = amounts()
    billed = {one["class"]: Decimal(one["amount"]) for one in details if one["billing_type"] == "chargeable"}
    credit = (METRES - RIGHT_METRES) * METRE_PRICE
    figures = {
        "details": (billed, expected),
        "total of the invoice": (Decimal(invoice["total"]), sum(expected.values())),
        "total of the corrective": (Decimal(corrective["total"]), -credit),
        "amount that came back": (Decimal(returned["amount"]), credit),
    }
    wrong = [f"{what}: {found}, should be {wanted}" for what, (found, wanted) in figures.items() if found != wanted]
    if wrong:
        raise DemoError(wrong[0])
