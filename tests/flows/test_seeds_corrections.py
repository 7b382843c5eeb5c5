"""The seeds as acceptance, S-19 to S-21: corrections with the specification's own numbers, and corrections of those."""

from typing import Any

from tests.flows.firm import BILLED, CHARGEABLE, COST, DAY, FREE, UNBILLED, Firm, item, numbers, rows

IN_FULL = rows((COST, CHARGEABLE, 8, 800), (UNBILLED, CHARGEABLE, 8, 1600), (UNBILLED, CHARGEABLE, -8, -1600),
               (BILLED, CHARGEABLE, 8, 1600))  # fmt: skip


async def _corrective(firm: Firm, invoice_id: str, **body: Any) -> dict[str, Any]:
    path = f"/v1/invoices/{invoice_id}/correct"
    corrective: dict[str, Any] = await firm.invoicing("POST", path, body, headers={"If-Match": "*"})
    return corrective


async def _corrected(firm: Firm, invoice_id: str, quantity: str) -> dict[str, Any]:
    """Corrects an invoice's only detail to `quantity`; the confirmed corrective."""
    corrective = await _corrective(firm, invoice_id)
    (detail,) = await firm.details(corrective["id"])
    await firm.edit(corrective["id"], detail["id"], quantity=quantity)
    return await firm.confirm(corrective["id"])


async def test_s_19_correct_a_confirmed_invoice(firm: Firm) -> None:
    """S-19: "correct: new draft, all details, quantity 0"."""
    entry_id = await firm.worked()
    await firm.worked("1", "expense")
    await firm.mark_ready()
    await firm.mark_ready(firm.milestones["concept"], of="milestones")
    original = await firm.confirm((await firm.drafted())["id"])
    corrective = await _corrective(firm, original["id"], reason="wrong customer")
    assert (corrective["kind"], corrective["status"], corrective["number"]) == ("corrective", "draft", None)
    assert (corrective["original_id"], corrective["details"]) == (original["id"], 3)
    assert numbers(corrective, "total") == [-6875]
    shown = [
        (one["class"], *numbers(one, "quantity", "amount", "original_quantity", "original_amount", "delta_amount"))
        for one in await firm.details(corrective["id"])
    ]
    assert sorted(shown) == [
        ("expense", 0, 0, 1, 275, -275), ("milestone", 0, 0, 1, 5000, -5000), ("time", 0, 0, 8, 1600, -1600)
    ]  # fmt: skip
    assert await firm.ledger(entry_id=entry_id) == IN_FULL, "a draft posts nothing"
    refusal = await firm.refused("invoicing", "POST", f"/v1/invoices/{original['id']}/correct", "manager", {})
    assert (refusal["status"], refusal["reason"]) == (409, "on_corrective")
    confirmed = await firm.confirm(corrective["id"])
    assert (confirmed["number"], confirmed["total"]) == ("PF-2026-000002", "-6875.00")
    assert await firm.ledger(entry_id=entry_id) == sorted(
        IN_FULL + rows((BILLED, CHARGEABLE, -8, -1600), (UNBILLED, CHARGEABLE, 8, 1600))
    )
    listed = await firm.items(contract_id=firm.contract_id)
    assert {(one["class"], one["billing_status"], one["amount"]) for one in listed} == {
        ("time", "unbilled", "1600.00"), ("expense", "unbilled", "275.00")
    }  # fmt: skip
    concept = await firm.backlog("GET", f"/v1/milestones/{firm.milestones['concept']}")
    assert (concept["billing_status"], *numbers(concept, "billed", "open")) == ("unbilled", 0, 5000)
    untouched = await firm.invoice(original["id"])
    assert (untouched["status"], untouched["total"]) == ("confirmed", "6875.00")
    await firm.is_sound()


async def test_s_20_edit_a_correction(firm: Firm) -> None:
    """S-20: "correct: remove untouched details; edit quantity below or above; see original quantity"."""
    kept, less, more = await firm.worked("5"), await firm.worked(), await firm.worked()
    await firm.mark_ready()
    original = await firm.confirm((await firm.drafted())["id"])
    corrective = await _corrective(firm, original["id"])
    of = {one["entry_id"]: one for one in await firm.details(corrective["id"])}
    await firm.invoicing("POST", f"/v1/invoices/{corrective['id']}/details/remove", {"ids": [of[kept]["id"]]}, "biller")
    for entry_id, quantity, delta in ((less, "6", -400), (more, "10", 400)):
        edited = await firm.edit(corrective["id"], of[entry_id]["id"], quantity=quantity)
        assert numbers(edited, "quantity", "original_quantity", "delta_amount") == [int(quantity), 8, delta]
    confirmed = await firm.confirm(corrective["id"])
    assert (confirmed["details"], *numbers(confirmed, "total")) == (2, 0)
    billed = rows((COST, CHARGEABLE, 5, 500), (UNBILLED, CHARGEABLE, 5, 1000), (UNBILLED, CHARGEABLE, -5, -1000),
                  (BILLED, CHARGEABLE, 5, 1000))  # fmt: skip
    assert await firm.ledger(entry_id=kept) == billed, "what is taken off a corrective stays billed"
    assert await firm.ledger(entry_id=more) == sorted(
        IN_FULL + rows((BILLED, CHARGEABLE, -8, -1600), (BILLED, CHARGEABLE, 10, 2000))
    )
    assert await firm.ledger(entry_id=less) == sorted(
        IN_FULL + rows((BILLED, CHARGEABLE, -8, -1600), (BILLED, CHARGEABLE, 6, 1200), (UNBILLED, CHARGEABLE, 2, 400))
    )
    of = {one["entry_id"]: one for one in await firm.details(original["id"])}
    assert of[kept]["replaced_by"] is None
    assert of[less]["replaced_by"]["invoice_id"] == of[more]["replaced_by"]["invoice_id"] == corrective["id"]
    await firm.is_sound()


async def test_s_21_confirm_a_correction(firm: Firm) -> None:
    """S-21: "confirm correction: reverse BS, new BS, UBS for the reduction (8 -> 6 + 2), later bill or NC"."""
    later, first = await firm.billed()
    never, second = await firm.billed()
    corrected = rows((BILLED, CHARGEABLE, -8, -1600), (BILLED, CHARGEABLE, 6, 1200), (UNBILLED, CHARGEABLE, 2, 400))
    for entry_id, invoice in ((later, first), (never, second)):
        assert (await _corrected(firm, invoice["id"], "6"))["total"] == "-400.00"
        assert await firm.ledger(entry_id=entry_id) == sorted(IN_FULL + corrected)
    returned = {one["entry_id"]: one for one in await firm.items(contract_id=firm.contract_id)}
    for one in returned.values():
        assert (one["billing_status"], one["amount"]) == ("unbilled", "400.00")
    agreed = {"ids": [returned[never]["id"]], "billing_type": FREE}
    assert (await firm.backlog("POST", "/v1/backlog/set-billing-type", agreed))["changed"] == 1
    await firm.mark_ready()
    third = await firm.confirm((await firm.drafted())["id"])
    assert (third["details"], third["total"]) == (2, "400.00")
    taken_back = rows((UNBILLED, CHARGEABLE, -2, -400))
    assert await firm.ledger(entry_id=later) == sorted(
        IN_FULL + corrected + taken_back + rows((BILLED, CHARGEABLE, 2, 400))
    )
    assert await firm.ledger(entry_id=never) == sorted(
        IN_FULL
        + corrected
        + taken_back
        + rows((UNBILLED, FREE, 2, 400), (UNBILLED, FREE, -2, -400), (BILLED, FREE, 2, 400))
    )
    assert await firm.items(contract_id=firm.contract_id) == []
    await firm.is_sound()


async def test_a_correction_is_corrected(firm: Firm) -> None:
    """Domain §2.8: the newest billing counts. 8 h are corrected to 6, those to 5; the way back to 8 is the backlog."""
    entry_id, original = await firm.billed()
    first = await _corrected(firm, original["id"], "6")
    refusal = await firm.refused("invoicing", "POST", f"/v1/invoices/{original['id']}/correct", "manager", {})
    assert refusal["status"] == 409, "nothing of the original is billed any more"
    second = await _corrective(firm, first["id"])
    (detail,) = await firm.details(second["id"])
    assert numbers(detail, "quantity", "original_quantity", "original_amount") == [0, 6, 1200]
    path = f"/v1/invoices/{second['id']}/details/{detail['id']}"
    raised = await firm.refused("invoicing", "PATCH", path, "biller", {"quantity": "8"})
    (returned,) = await firm.items(contract_id=firm.contract_id)
    assert (raised["status"], raised["returned_item_id"]) == (409, returned["id"])
    await firm.edit(second["id"], detail["id"], quantity="5")
    confirmed = await firm.confirm(second["id"])
    assert (confirmed["number"], confirmed["total"]) == ("PF-2026-000003", "-200.00")
    assert await firm.ledger(entry_id=entry_id) == sorted(
        IN_FULL
        + rows((BILLED, CHARGEABLE, -8, -1600), (BILLED, CHARGEABLE, 6, 1200), (UNBILLED, CHARGEABLE, 2, 400))
        + rows((BILLED, CHARGEABLE, -6, -1200), (BILLED, CHARGEABLE, 5, 1000), (UNBILLED, CHARGEABLE, 1, 200))
    )
    summary = (await firm.backlog("GET", f"/v1/contracts/{firm.contract_id}/summary"))["total"]
    assert numbers(summary, "billed") == [1000]
    await firm.is_sound()


async def test_agreed_sums_and_hand_added_details_are_credited(firm: Firm) -> None:
    """Design §4: of a milestone or product line what is credited comes back, of a detail added by hand nothing."""
    await firm.mark_ready(firm.milestones["concept"], of="milestones")
    await firm.mark_ready(firm.lines["routers"], of="product-backlog")
    draft = await firm.drafted()
    fee = {"class": "fee", "contract_line_id": firm.lines["work"], "date": DAY, "quantity": "1", "price": "300"}
    await firm.invoicing("POST", f"/v1/invoices/{draft['id']}/details", fee, "biller")
    original = await firm.confirm(draft["id"])
    assert original["total"] == "5800.00"
    corrective = await _corrective(firm, original["id"])
    details = await firm.details(corrective["id"])
    await firm.edit(corrective["id"], item(details, of="milestone")["id"], amount="3000.00")
    await firm.edit(corrective["id"], item(details, of="fee")["id"], quantity="1", price="100")
    assert (await firm.confirm(corrective["id"]))["total"] == "-2700.00"
    assert await firm.ledger(invoice_id=corrective["id"]) == rows(
        (BILLED, CHARGEABLE, -1, -5000), (BILLED, CHARGEABLE, 1, 3000), (BILLED, CHARGEABLE, -10, -500),
        (BILLED, CHARGEABLE, -1, -300), (BILLED, CHARGEABLE, 1, 100),
    )  # fmt: skip
    assert await firm.items(contract_id=firm.contract_id) == [], "a fee that nobody approved has no way back"
    milestones = await firm.product.all("billing-backlog", "/v1/milestones", contract_line_id=firm.lines["fixed"])
    assert sorted((one["billing_status"], *numbers(one, "amount", "billed", "open")) for one in milestones) == [
        ("posted", 3000, 3000, 0), ("unbilled", 2000, 0, 2000), ("unbilled", 12000, 0, 12000)
    ]  # fmt: skip
    rest = item(milestones, amount="2000.00")["id"]
    assert (await firm.mark_ready(rest, of="milestones"))["changed"] == 1
    assert (await firm.mark_ready(firm.lines["routers"], of="product-backlog"))["changed"] == 1
    again = await firm.confirm((await firm.drafted())["id"])
    assert (again["details"], again["total"]) == (2, "2500.00")
    summary = (await firm.backlog("GET", f"/v1/contracts/{firm.contract_id}/summary"))["total"]
    assert numbers(summary, "billed", "unbilled", "contract_value", "remaining") == [5600, 12000, 17500, 12000]
    await firm.is_sound()


async def test_void_with_the_same_key_twice(firm: Firm) -> None:
    """An invoice is taken back in full, once: the second call under its key gets the first one's answer."""
    entry_id, original = await firm.billed()
    client, path = firm.client("invoicing", "manager"), f"/v1/invoices/{original['id']}/void"
    headers = {"If-Match": f'"{original["version"]}"', "Idempotency-Key": "void-1"}
    first = await client.post(path, json={"reason": "wrong customer"}, headers=headers)
    again = await client.post(path, json={"reason": "wrong customer"}, headers=headers)
    assert (first.status_code, again.status_code, again.headers["Idempotency-Replayed"]) == (201, 201, "true")
    assert first.json() == again.json()
    other = await client.post(path, json={"reason": "something else"}, headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "urn:proforma:problem:idempotency-key-reused")
    corrective = await firm.posted(first.json()["id"])
    assert (corrective["kind"], corrective["status"], corrective["total"]) == ("corrective", "confirmed", "-1600.00")
    assert await firm.ledger(entry_id=entry_id) == sorted(
        IN_FULL + rows((BILLED, CHARGEABLE, -8, -1600), (UNBILLED, CHARGEABLE, 8, 1600))
    )
    assert len(await firm.product.all("invoicing", "/v1/invoices")) == 2
    assert item(await firm.items(contract_id=firm.contract_id), entry_id=entry_id)["billing_status"] == "unbilled"
    await firm.is_sound()
