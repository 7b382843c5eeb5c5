"""The seeds as acceptance, S-01 to S-06: two approvals, the ledger's two rows, three review lists, the gate."""

from tests.flows.firm import BILLED, CHARGEABLE, COST, FREE, UNBILLED, Firm, item, numbers, rows


async def test_s_01_two_approval_levels(firm: Firm) -> None:
    """S-01: "two approval levels: entry approval, then invoice review"."""
    entry_id = await firm.submitted()
    await firm.product.quiet()
    assert await firm.ledger(entry_id=entry_id) == [], "nothing is posted before the first approval"
    problem = await firm.refused("time-expense", "POST", f"/v1/entries/{entry_id}/approve", "submitter")
    assert problem["type"].endswith(":forbidden")
    await firm.approve(entry_id)
    unbilled = rows((COST, CHARGEABLE, 8, 800), (UNBILLED, CHARGEABLE, 8, 1600))
    assert await firm.ledger(entry_id=entry_id) == unbilled
    await firm.mark_ready()
    draft = await firm.drafted()
    await firm.product.quiet()
    assert await firm.ledger(entry_id=entry_id) == unbilled, "nothing is billed before the second approval"
    problem = await firm.refused("invoicing", "POST", f"/v1/invoices/{draft['id']}/confirm", "biller")
    assert problem["type"].endswith(":forbidden")
    invoice = await firm.confirm(draft["id"])
    assert (invoice["number"], invoice["total"], invoice["confirmed_by"]) == ("PF-2026-000001", "1600.00", "manager")
    assert await firm.ledger(entry_id=entry_id) == sorted(
        unbilled + rows((UNBILLED, CHARGEABLE, -8, -1600), (BILLED, CHARGEABLE, 8, 1600))
    )
    await firm.is_sound()


async def test_s_02_approval_posts_cost_and_unbilled_sales(firm: Firm) -> None:
    """S-02: "approval creates C + UBS on T&M, project+class mapping to the line"."""
    hours = await firm.worked()
    travel = await firm.worked("1", "expense")
    cables = await firm.worked("2", "material")
    reduced = await firm.submitted()
    await firm.approve(reduced, billable_quantity="6")
    fixed = await firm.worked(project="P2")
    strange = await firm.worked("1", "expense", project="P2")
    assert await firm.ledger(entry_id=hours) == rows((COST, CHARGEABLE, 8, 800), (UNBILLED, CHARGEABLE, 8, 1600))
    assert await firm.ledger(entry_id=travel) == rows((COST, CHARGEABLE, 1, 250), (UNBILLED, CHARGEABLE, 1, 275))
    assert await firm.ledger(entry_id=cables) == rows((COST, CHARGEABLE, 2, 200), (UNBILLED, CHARGEABLE, 2, 400))
    assert await firm.ledger(entry_id=reduced) == rows(
        (COST, CHARGEABLE, 8, 800), (UNBILLED, CHARGEABLE, 6, 1200), (UNBILLED, FREE, 2, 400)
    )
    for entry_id, quantity, cost, line in ((fixed, 8, 800, firm.lines["fixed"]), (strange, 1, 250, None)):
        (only,) = await firm.product.all("billing-backlog", "/v1/actuals", entry_id=entry_id)
        assert (only["type"], only["contract_line_id"]) == (COST, line)
        assert numbers(only, "quantity", "amount") == [quantity, cost]
    summary = await firm.backlog("GET", f"/v1/contracts/{firm.contract_id}/summary")
    by_line = {one["name"]: numbers(one, "cost", "unbilled") for one in summary["lines"]}
    assert by_line == {"work": [2050, 3475], "fixed": [800, 17000], "routers": [0, 500]}
    await firm.is_sound()


async def test_s_03_time_and_material_backlog(firm: Firm) -> None:
    """S-03: "T&M billing backlog list; mark selected Ready"."""
    first, second = await firm.worked(), await firm.worked("2", "material")
    listed = await firm.items(contract_id=firm.contract_id)
    assert {(one["entry_id"], one["billing_status"], one["amount"]) for one in listed} == {
        (first, "unbilled", "1600.00"), (second, "unbilled", "400.00")
    }  # fmt: skip
    assert all("not_ready" in one["reasons"] for one in listed)
    chosen = item(listed, entry_id=first)["id"]
    assert await firm.mark_ready(chosen) == {"changed": 1, "unchanged": 0, "refused": []}
    assert await firm.mark_ready(chosen) == {"changed": 0, "unchanged": 1, "refused": []}
    listed = await firm.items(contract_id=firm.contract_id)
    assert item(listed, entry_id=first)["billing_status"] == "ready"
    assert "not_ready" not in item(listed, entry_id=first)["reasons"]
    assert item(listed, entry_id=second)["billing_status"] == "unbilled"
    await firm.is_sound()


async def test_s_04_product_backlog(firm: Firm) -> None:
    """S-04: "product billing backlog; mark lines Ready"."""
    (routers,) = await firm.product.all("billing-backlog", "/v1/product-backlog", "biller")
    assert (routers["id"], routers["billing_status"]) == (firm.lines["routers"], "unbilled")
    assert numbers(routers, "quantity", "price", "amount") == [10, 50, 500]
    answer = await firm.mark_ready(firm.lines["routers"], of="product-backlog")
    assert answer == {"changed": 1, "unchanged": 0, "refused": []}
    invoice = await firm.confirm((await firm.drafted())["id"])
    (detail,) = await firm.details(invoice["id"])
    assert (detail["class"], detail["source"], detail["amount"]) == ("product", "product", "500.00")
    assert (invoice["total"], invoice["details"]) == ("500.00", 1)
    assert await firm.ledger(contract_id=firm.contract_id) == rows((BILLED, CHARGEABLE, 10, 500))
    (routers,) = await firm.product.all("billing-backlog", "/v1/product-backlog", billing_status="posted")
    assert (routers["id"], routers["invoice_id"]) == (firm.lines["routers"], invoice["id"])
    await firm.is_sound()


async def test_s_05_fixed_price_milestones(firm: Firm) -> None:
    """S-05: "FP milestone list; mark Ready; every FP line must define milestones"."""
    listed = await firm.product.all("billing-backlog", "/v1/milestones", "biller")
    assert [(one["name"], one["billing_status"], one["amount"]) for one in listed] == [
        ("concept", "unbilled", "5000.00"), ("launch", "unbilled", "12000.00")
    ]  # fmt: skip
    other = await firm.line(
        firm.contract_id, "bare", "P3", ["time"], billing_method="fixed_price", contracted_amount="900.00"
    )
    half = {"contract_line_id": other, "name": "half", "date": "2026-03-31", "amount": "450.00"}
    part = (await firm.backlog("POST", "/v1/milestones", half))["id"]
    (refusal,) = (await firm.mark_ready(part, of="milestones"))["refused"]
    assert (refusal["id"], refusal["reason"]) == (part, "milestones_do_not_add_up")
    await firm.backlog("POST", "/v1/milestones", {**half, "name": "rest"})
    assert (await firm.mark_ready(part, firm.milestones["concept"], of="milestones"))["changed"] == 2
    invoice = await firm.confirm((await firm.drafted())["id"])
    assert (invoice["total"], invoice["details"]) == ("5450.00", 2)
    assert await firm.ledger(contract_id=firm.contract_id) == rows(
        (BILLED, CHARGEABLE, 1, 5000), (BILLED, CHARGEABLE, 1, 450)
    )
    concept = await firm.backlog("GET", f"/v1/milestones/{firm.milestones['concept']}")
    assert (concept["billing_status"], concept["billed"], concept["open"]) == ("posted", "5000.00", "0.00")
    await firm.is_sound()


async def test_s_06_only_ready_items_are_invoiced(firm: Firm) -> None:
    """S-06: "items must be Ready before invoicing picks them"."""
    ready, waiting = await firm.worked(), await firm.worked("3")
    run = await firm.backlog("POST", f"/v1/contracts/{firm.contract_id}/create-invoice", {})
    assert (run["status"], run["claims"]) == ("skipped", [])
    left_out = {one["contract_line_id"]: one["left_out"] for one in run["lines"]}
    assert left_out[firm.lines["work"]] == {"not_ready": 2}
    listed = await firm.items(contract_id=firm.contract_id)
    await firm.mark_ready(item(listed, entry_id=ready)["id"])
    draft = await firm.drafted()
    (detail,) = await firm.details(draft["id"])
    assert (detail["entry_id"], draft["total"]) == (ready, "1600.00")
    listed = await firm.items(contract_id=firm.contract_id)
    assert item(listed, entry_id=ready)["billing_status"] == "on_invoice"
    assert item(listed, entry_id=waiting)["billing_status"] == "unbilled"
    assert "not_ready" in item(listed, entry_id=waiting)["reasons"]
    await firm.confirm(draft["id"])
    await firm.is_sound()
