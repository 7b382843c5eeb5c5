"""The seeds as acceptance, S-07 to S-10: one invoice, many, everything that can be on one, and the list of them."""

from tests.flows.firm import BILLED, CHARGEABLE, Firm, item, numbers, rows
from tests.support.waits import eventually


async def test_s_07_create_an_invoice_for_one_contract(firm: Firm) -> None:
    """S-07: "create invoice for one contract"."""
    other = await firm.contract("Shop", "P9")
    ours, theirs = await firm.worked(), await firm.worked(project="P9")
    await firm.mark_ready()
    await firm.mark_ready(item(await firm.items(contract_id=other), entry_id=theirs)["id"])
    draft = await firm.drafted()
    assert (draft["contract_id"], draft["status"], draft["total"]) == (firm.contract_id, "draft", "1600.00")
    assert (draft["customer"]["name"], draft["invoice_date"]) == ("Portal Ltd", "2026-03-02")
    assert [one["entry_id"] for one in await firm.details(draft["id"])] == [ours]
    assert [one["id"] for one in await firm.product.all("invoicing", "/v1/invoices")] == [draft["id"]]
    untouched = item(await firm.items(contract_id=other), entry_id=theirs)
    assert (untouched["billing_status"], untouched["invoice_id"]) == ("ready", None)
    again = await firm.backlog("POST", f"/v1/contracts/{firm.contract_id}/create-invoice", {})
    assert again["status"] == "skipped", "what is on a draft is not taken twice"
    assert (await firm.confirm(draft["id"]))["total"] == "1600.00"
    await firm.is_sound()


async def test_s_08_create_invoices_in_bulk(firm: Firm) -> None:
    """S-08: "bulk create on selected contracts, warning about delay, background processing, one invoice per contract".

    The warning is the answer itself: 202 with a job that shows how far it is.
    """
    contracts = {await firm.contract(name, name): hours for name, hours in (("A", "1"), ("B", "2"), ("C", "3"))}
    empty = await firm.contract("D", "D")
    for name, hours in (("A", "1"), ("B", "2"), ("C", "3"), ("A", "4")):
        await firm.worked(hours, project=name)
    for contract_id in contracts:
        await firm.backlog("POST", "/v1/backlog/mark-ready", {"filter": {"contract_id": contract_id}})
    chosen = [*list(contracts)[:2], empty]
    client = firm.client("billing-backlog", "biller")
    answer = await client.post("/v1/contracts/create-invoice", json={"ids": chosen})
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/jobs/{answer.json()['id']}")
    job = await firm.product.job("billing-backlog", answer.json())
    assert (job["total"], job["done"], job["result"]["claimed"]) == (3, 3, 2)

    async def drafted() -> list[tuple[str, str]] | None:
        found = await firm.product.all("invoicing", "/v1/invoices", status="draft")
        return sorted((one["contract_id"], one["total"]) for one in found) if len(found) == 2 else None

    assert await eventually(drafted) == sorted(zip(contracts, ("1000.00", "400.00"), strict=False))
    await firm.product.quiet()
    assert len(await firm.product.all("invoicing", "/v1/invoices")) == 2, "the third contract was not selected"
    (skipped,) = await firm.product.all("billing-backlog", "/v1/invoice-runs", contract_id=empty)
    assert skipped["status"] == "skipped"
    await firm.is_sound()


async def test_s_09_everything_that_can_be_billed_on_one_invoice(firm: Firm) -> None:
    """S-09: "coverage: time, expense, material (PO), milestones, product lines (PSA/Core), … journal lines (PO)"."""
    entries = [await firm.worked(), await firm.worked("1", "expense"), await firm.worked("2", "material")]
    fee = {
        "contract_line_id": firm.lines["work"], "class": "fee", "date": "2026-03-01", "quantity": "1", "price": "300",
    }  # fmt: skip
    journal_line = await firm.backlog("POST", "/v1/journal-lines", fee)
    await firm.mark_ready()
    await firm.mark_ready(firm.milestones["concept"], of="milestones")
    await firm.mark_ready(firm.lines["routers"], of="product-backlog")
    draft = await firm.drafted()
    assert (draft["details"], draft["lines"], draft["total"]) == (6, 3, "8075.00")
    details = await firm.details(draft["id"])
    assert {(one["class"], one["source"], one["entry_id"], one["amount"]) for one in details} == {
        ("time", "backlog", entries[0], "1600.00"), ("expense", "backlog", entries[1], "275.00"),
        ("material", "backlog", entries[2], "400.00"), ("fee", "backlog", None, "300.00"),
        ("milestone", "milestone", None, "5000.00"), ("product", "product", None, "500.00"),
    }  # fmt: skip
    assert item(details, of="fee")["item_id"] == journal_line["id"]
    lines = await firm.product.all("invoicing", f"/v1/invoices/{draft['id']}/lines")
    by_line = {one["name"]: numbers(one, "total", "details") for one in lines}
    assert by_line == {"work": [2575, 4], "fixed": [5000, 1], "routers": [500, 1]}
    await firm.confirm(draft["id"])
    assert await firm.ledger(invoice_id=draft["id"], type=BILLED) == rows(
        (BILLED, CHARGEABLE, 8, 1600), (BILLED, CHARGEABLE, 1, 275), (BILLED, CHARGEABLE, 2, 400),
        (BILLED, CHARGEABLE, 1, 300), (BILLED, CHARGEABLE, 1, 5000), (BILLED, CHARGEABLE, 10, 500),
    )  # fmt: skip
    summary = (await firm.backlog("GET", f"/v1/contracts/{firm.contract_id}/summary"))["total"]
    assert numbers(summary, "billed", "unbilled", "cost") == [8075, 12000, 1250]
    await firm.is_sound()


async def test_s_10_invoice_list(firm: Firm) -> None:
    """S-10: "invoice list"."""
    _, confirmed = await firm.billed()
    await firm.worked("1", date="2026-02-10")
    await firm.mark_ready()
    dated = await firm.drafted(run_date="2026-02-28")
    other = await firm.contract("Shop", "P9")
    hours = await firm.worked("2", project="P9")
    await firm.mark_ready(item(await firm.items(contract_id=other), entry_id=hours)["id"])
    shop = await firm.drafted(other)

    async def listed(**query: str) -> list[str]:
        return [one["id"] for one in await firm.product.all("invoicing", "/v1/invoices", "approver", **query)]

    assert await listed() == sorted([confirmed["id"], dated["id"], shop["id"]])
    assert await listed(status="draft") == sorted([dated["id"], shop["id"]])
    assert await listed(status="confirmed") == [confirmed["id"]]
    assert await listed(number=confirmed["number"]) == [confirmed["id"]]
    assert await listed(contract_id=firm.contract_id) == sorted([confirmed["id"], dated["id"]])
    assert await listed(customer_id=shop["customer"]["id"]) == [shop["id"]]
    assert await listed(invoice_date_to="2026-02-28") == [dated["id"]]
    assert await listed(kind="corrective") == []
    (first, second, third) = await firm.product.all("invoicing", "/v1/invoices")
    assert (first["total"], second["total"], third["total"]) == ("1600.00", "200.00", "400.00")
    await firm.is_sound()
