"""The seeds as acceptance, S-15 to S-18: a draft is edited and added to, confirmed once, and never changed again."""

from typing import Any

import asyncpg
import pytest

from tests.flows.firm import BILLED, CHARGEABLE, COST, DAY, FREE, UNBILLED, Firm, item, numbers, rows
from tests.support.rows import change


async def _of_entries(firm: Firm, invoice_id: str) -> dict[str | None, dict[str, Any]]:
    """The details of an invoice by their entry."""
    return {one["entry_id"]: one for one in await firm.details(invoice_id)}


async def test_s_15_edit_a_draft(firm: Firm) -> None:
    """S-15: "draft: delete or edit details; change quantity and billing type"."""
    less, free, gone, more, back = [await firm.worked(hours) for hours in ("8", "8", "3", "2", "4")]
    await firm.mark_ready()
    draft = await firm.drafted()
    assert draft["total"] == "5000.00"
    of = await _of_entries(firm, draft["id"])
    await firm.edit(draft["id"], of[less]["id"], quantity="6")
    await firm.edit(draft["id"], of[free]["id"], billing_type=FREE)
    await firm.edit(draft["id"], of[more]["id"], quantity="5", external_description="two and a half days")
    await firm.edit(draft["id"], of[back]["id"], quantity="1", remainder="return", reason="disputed")
    path = f"/v1/invoices/{draft['id']}/details/{of[gone]['id']}"
    await firm.invoicing("DELETE", path, role="biller", headers={"If-Match": "*"})
    invoice = await firm.invoice(draft["id"])
    assert (invoice["details"], invoice["total"]) == (4, "2400.00")
    assert invoice["version"] > draft["version"], "the second approval sees what it approves"
    confirmed = await firm.confirm(draft["id"])
    assert (confirmed["details"], confirmed["total"]) == (5, "2400.00")
    worked = {less: (8, 800, 1600), free: (8, 800, 1600), gone: (3, 300, 600), more: (2, 200, 400), back: (4, 400, 800)}
    after = {
        less: rows((UNBILLED, CHARGEABLE, -8, -1600), (BILLED, CHARGEABLE, 6, 1200), (BILLED, FREE, 2, 400)),
        free: rows((UNBILLED, CHARGEABLE, -8, -1600), (BILLED, FREE, 8, 1600)),
        gone: [],
        more: rows((UNBILLED, CHARGEABLE, -2, -400), (BILLED, CHARGEABLE, 5, 1000)),
        back: rows((UNBILLED, CHARGEABLE, -4, -800), (BILLED, CHARGEABLE, 1, 200), (UNBILLED, CHARGEABLE, 3, 600)),
    }
    for entry_id, (hours, cost, sold) in worked.items():
        approved = rows((COST, CHARGEABLE, hours, cost), (UNBILLED, CHARGEABLE, hours, sold))
        assert await firm.ledger(entry_id=entry_id) == sorted(approved + after[entry_id])
    listed = await firm.items(contract_id=firm.contract_id)
    assert {(one["entry_id"], one["billing_status"], one["amount"]) for one in listed} == {
        (gone, "ready", "600.00"), (back, "unbilled", "600.00")
    }  # fmt: skip
    await firm.is_sound()


async def test_s_16_add_to_a_draft_by_hand(firm: Firm) -> None:
    """S-16: "draft: add time/expense/fee (Core also material) if the line includes the class"."""
    hours = await firm.line(firm.contract_id, "hours", "P4", ["time"])
    await firm.worked()
    await firm.mark_ready()
    draft = await firm.drafted()
    path = f"/v1/invoices/{draft['id']}/details"

    def hand(item_class: str, line: str, quantity: str, price: str) -> dict[str, str]:
        return {
            "class": item_class, "contract_line_id": line, "date": "2026-03-01", "quantity": quantity, "price": price
        }  # fmt: skip

    work, fixed = firm.lines["work"], firm.lines["fixed"]
    for wrong in (
        hand("expense", hours, "1", "9"),
        hand("fee", fixed, "1", "9"),
        hand("time", firm.lines["routers"], "1", "9"),
    ):
        problem = await firm.refused("invoicing", "POST", path, "biller", wrong)
        assert (problem["status"], problem["reason"]) == (409, "class_not_included")
    added = [
        hand("time", work, "3", "200"), hand("expense", work, "1", "275"), hand("material", work, "2", "200"),
        hand("fee", work, "1", "300"), hand("time", fixed, "1", "150"),
    ]  # fmt: skip
    await firm.invoicing("POST", path, added, "biller")
    by_mistake = await firm.invoicing("POST", path, hand("fee", work, "1", "77"), "biller")
    await firm.invoicing("POST", f"{path}/remove", {"ids": [by_mistake["id"]]}, "biller")
    invoice = await firm.invoice(draft["id"])
    assert (invoice["details"], invoice["total"]) == (6, "3325.00")
    lines = await firm.product.all("invoicing", f"/v1/invoices/{draft['id']}/lines")
    assert {one["name"]: numbers(one, "total") for one in lines} == {
        "work": [3175], "fixed": [150], "routers": [0], "hours": [0]
    }  # fmt: skip
    await firm.confirm(draft["id"])
    assert await firm.ledger(contract_id=firm.contract_id) == rows(
        (COST, CHARGEABLE, 8, 800), (UNBILLED, CHARGEABLE, 8, 1600), (UNBILLED, CHARGEABLE, -8, -1600),
        (BILLED, CHARGEABLE, 8, 1600), (BILLED, CHARGEABLE, 3, 600), (BILLED, CHARGEABLE, 1, 275),
        (BILLED, CHARGEABLE, 2, 400), (BILLED, CHARGEABLE, 1, 300), (BILLED, CHARGEABLE, 1, 150),
    )  # fmt: skip
    await firm.is_sound()


async def test_s_17_confirm(firm: Firm) -> None:
    """S-17: "confirm: one-way, read-only, BS per detail, UBS reversal when UBS-backed"."""
    entry_id = await firm.worked()
    await firm.mark_ready()
    await firm.mark_ready(firm.milestones["concept"], of="milestones")
    draft = await firm.drafted()
    path = f"/v1/invoices/{draft['id']}"
    fee = {"class": "fee", "contract_line_id": firm.lines["work"], "date": DAY, "quantity": "1", "price": "300"}
    await firm.invoicing("POST", f"{path}/details", fee, "biller")
    stale = await firm.client("invoicing", "manager").post(
        f"{path}/confirm", headers={"If-Match": f'"{draft["version"]}"'}
    )
    assert stale.status_code == 412, "what is confirmed is what was seen"
    reviewed = await firm.invoicing("PATCH", path, {"status": "in_review"}, "biller", headers={"If-Match": "*"})
    assert (reviewed["status"], reviewed["number"]) == ("in_review", None)
    invoice = await firm.confirm(draft["id"])
    assert (invoice["status"], invoice["number"], invoice["total"]) == ("confirmed", "PF-2026-000001", "6900.00")
    details = await firm.details(draft["id"])
    actuals = await firm.product.all("billing-backlog", "/v1/actuals", contract_id=firm.contract_id)
    billed = {one["invoice_detail_id"]: one["amount"] for one in actuals if one["type"] == BILLED}
    assert billed == {one["id"]: one["amount"] for one in details}
    (reversal,) = [one for one in actuals if one["reverses"] is not None]
    unbilled = item(actuals, entry_id=entry_id, type=UNBILLED, reverses=None)
    assert (reversal["reverses"], reversal["cause"], reversal["amount"]) == (unbilled["id"], "confirm", "-1600.00")
    assert numbers(reversal, "quantity") == [-8], "a general ledger takes work in progress back by this row"
    assert unbilled["billing_status"] == "posted"
    posting = await firm.backlog("GET", f"/v1/postings/{draft['id']}")
    assert numbers(posting["posted"], "quantity", "amount", "tax") == [10, 6900, 0]
    for verb, body in (("confirm", None), ("discard", None)):
        assert (await firm.refused("invoicing", "POST", f"{path}/{verb}", "manager", body))["status"] == 409
    assert (await firm.refused("invoicing", "PATCH", path, "manager", {"status": "draft"}))["status"] == 409
    await firm.is_sound()


async def test_s_18_what_is_confirmed_cannot_be_edited_or_deleted(firm: Firm) -> None:
    """S-18: "confirmed invoice, lines, details cannot be edited or deleted"."""
    _, invoice = await firm.billed()
    path = f"/v1/invoices/{invoice['id']}"
    lines = await firm.product.all("invoicing", f"{path}/lines")
    (detail,) = details = await firm.details(invoice["id"])
    fee = {"class": "fee", "contract_line_id": firm.lines["work"], "date": "2026-03-01", "quantity": "1", "price": "1"}
    calls = (
        ("PATCH", path, {"invoice_date": "2026-01-01"}, 409), ("PATCH", path, {"description": "x"}, 409),
        ("DELETE", path, None, 405), ("POST", f"{path}/discard", None, 409),
        ("PATCH", f"{path}/details/{detail['id']}", {"quantity": "7"}, 409),
        ("DELETE", f"{path}/details/{detail['id']}", None, 409),
        ("POST", f"{path}/details/update", {"ids": [detail["id"]], "quantity": "7"}, 409),
        ("POST", f"{path}/details/remove", {"ids": [detail["id"]]}, 409), ("POST", f"{path}/details", fee, 409),
        ("POST", f"{path}/claims/{detail['claim_id']}/drop", None, 409),
    )  # fmt: skip
    statements = (
        "update invoices set description = 'x'", "update invoices set total = 1, subtotal = 1",
        "update invoices set status = 'draft', number = null, posting = 'none'", "delete from invoices",
        "update invoice_lines set total = 1, chargeable = 1", "delete from invoice_lines",
        "update invoice_details set quantity = 7, amount = 1400", "delete from invoice_details",
    )  # fmt: skip
    for status in ("confirmed", "paid"):
        if status == "paid":
            await firm.invoicing("POST", f"{path}/mark-paid", headers={"If-Match": "*"})
        for method, at, body, expected in calls:
            problem = await firm.refused("invoicing", method, at, "manager", body)
            assert problem["status"] == expected, (method, at, problem)
        for statement in statements:
            with pytest.raises((asyncpg.RestrictViolationError, asyncpg.InsufficientPrivilegeError)):
                await change(firm.product.runtime("invoicing"), statement)
        assert await firm.product.all("invoicing", f"{path}/lines") == lines
        assert await firm.details(invoice["id"]) == details
        now = await firm.invoice(invoice["id"])
        assert now == {**invoice, **{name: now[name] for name in ("version", "updated_at")}, "status": status}
    await firm.is_sound()
