"""Product lines: an amount agreed on, which stands among the open items from the day on which it is made."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from billing_backlog.agreed_items import service as agreed_items
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json, Masters, pointers
from tests.billing_backlog.milestones.standings import billed_and_credited, put_on_invoice
from tests.billing_backlog.scene import violations
from tests.support.rows import locks_awaited, rows

URL = "/v1/contract-lines"


def body(contract_id: str, **fields: object) -> Json:
    line = {"contract_id": contract_id, "name": "Routers", "kind": "product", "product": "R9", "quantity": "10"}
    return {**line, "price": "50", **fields}


async def item_of(runtime: Runtime, line: Json) -> Json:
    (item,) = await rows(runtime, "select * from items where id = $1", UUID(line["id"]))
    return item


async def test_one_is_made_with_its_item(runtime: Runtime, desk: Masters) -> None:
    contract = await desk.contract(currency="JPY", time_zone="Asia/Tokyo")
    sent = body(contract["id"], unit="box", price="50.0555", tax="95", valid_from="2026-01-01", external_id="X")
    made = (await desk.biller.post(URL, json=sent)).json()
    assert {name: made[name] for name in sent} == {**sent, "quantity": "10", "price": "50.0555"}
    assert (made["amount"], made["billing_status"], made["invoice_id"]) == ("501", "unbilled", None)
    assert all(made[name] is None for name in ("project", "includes", "billing_method", "non_chargeable"))
    item = await item_of(runtime, made)
    wanted = {
        "contract_id": UUID(contract["id"]), "contract_line_id": UUID(made["id"]), "class": "product",
        "source": "product", "product": "R9", "quantity": Decimal(10), "unit": "box", "price": Decimal("50.0555"),
        "amount": Decimal(501), "tax": Decimal(95), "currency": "JPY", "billing_type": "chargeable",
        "description": "Routers", "has_cost_price": True, "billing_status": "unbilled",
    }  # fmt: skip
    assert {name: item[name] for name in wanted} == wanted
    assert str(item["date"]) == "2026-03-02", "the contract's day"
    backlog = (await desk.biller.get("/v1/backlog", params={"contract_id": contract["id"]})).json()["items"]
    assert backlog == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"quantity": "0"}, "/quantity"),
        ({"quantity": "1.001"}, "/quantity"),
        ({"price": "-1"}, "/price"),
        ({"quantity": "1000000", "price": "1000000.01"}, "/price"),
        ({"tax": "-1"}, "/tax"),
        ({"tax": "0.001"}, "/tax"),
        ({"product": ""}, "/product"),
        ({"project": "P"}, "/project"),
        ({"includes": ["time"]}, "/includes"),
        ({"billing_method": "fixed_price"}, "/billing_method"),
        ({"billing_start": "2026-01-01"}, "/billing_start"),
        ({"valid_from": "2026-02-01", "valid_to": "2026-01-31"}, "/valid_to"),
        ({"contract_id": str(uuid4())}, "/contract_id"),
    ],
)
async def test_what_is_wrong_is_named(desk: Masters, fields: Json, pointer: str) -> None:
    good = body((await desk.contract())["id"])
    assert pointers(await desk.biller.post(URL, json={**good, **fields})) == [pointer]
    assert pointers(await desk.biller.post(URL, json=[good, {**good, **fields}])) == [f"/1{pointer}"]
    assert (await desk.biller.get(URL)).json()["items"] == []


@pytest.mark.parametrize("missing", ["product", "quantity", "price"])
async def test_what_is_missing_is_named(desk: Masters, missing: str) -> None:
    sent = {name: value for name, value in body(str(uuid4())).items() if name != missing}
    assert pointers(await desk.biller.post(URL, json=sent)) == [f"/{missing}"]


async def test_an_edit_takes_the_item_with_it(runtime: Runtime, desk: Masters) -> None:
    made = await desk.product(await desk.contract())
    path = f"{URL}/{made['id']}"
    assert (await desk.mark("product-backlog", made))["changed"] == 1
    edited = (await desk.patch(path, {"quantity": "3", "name": "Switches", "tax": "1.50"}, '"1"')).json()
    assert (edited["amount"], edited["version"], edited["billing_status"]) == ("150.00", 2, "ready")
    item = await item_of(runtime, made)
    assert (item["quantity"], item["amount"], item["tax"], item["description"]) == (
        Decimal(3), Decimal(150), Decimal("1.50"), "Switches"
    )  # fmt: skip
    for wrong in ({"project": "P"}, {"tasks": None}, {"contracted_amount": "1"}, {"billing_start": None}):
        assert pointers(await desk.patch(path, wrong)) == [f"/{next(iter(wrong))}"]
    assert pointers(await desk.patch(path, {"quantity": "1000000", "price": "1000000.01"})) == ["/price"]
    assert (await desk.patch(path, {"name": "Switches"})).json() == edited


@pytest.mark.parametrize("status", ["unbilled", "ready"])
async def test_a_free_one_is_deleted_with_its_item(runtime: Runtime, desk: Masters, status: str) -> None:
    contract, _ = await desk.active()
    made = await desk.product(contract)
    if status == "ready":
        await desk.mark("product-backlog", made)
    assert (await desk.delete(f"{URL}/{made['id']}")).status_code == 204
    assert await rows(runtime, "select * from items") == []


@pytest.mark.parametrize("status", ["on_invoice", "posted"])
async def test_one_that_is_billed_is_frozen(runtime: Runtime, desk: Masters, status: str) -> None:
    contract, _ = await desk.active()
    made = await desk.product(contract)
    invoice = await put_on_invoice(runtime, desk, contract, made, posted=status == "posted")
    path = f"{URL}/{made['id']}"
    for refused in (await desk.patch(path, {"name": "x"}), await desk.delete(path)):
        told = refused.json()
        assert (refused.status_code, told["reason"], told["invoice_id"]) == (409, status, str(invoice))
    shown = (await desk.biller.get(path)).json()
    assert (shown["billing_status"], shown["invoice_id"], shown["version"]) == (status, str(invoice), 1)


async def test_one_that_was_billed_and_credited_can_be_edited_but_not_deleted(runtime: Runtime, desk: Masters) -> None:
    contract, _ = await desk.active()
    made = await desk.product(contract)
    await billed_and_credited(runtime, desk, contract, made)
    path = f"{URL}/{made['id']}"
    assert (await desk.patch(path, {"price": "1"})).json()["billing_status"] == "unbilled"
    refused = await desk.delete(path)
    assert (refused.status_code, refused.json()["state"]) == (409, "unbilled")
    assert await violations(runtime) == []


async def test_a_deletion_and_an_invoice_at_once(
    runtime: Runtime, desk: Masters, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract, _ = await desk.active()
    made = await desk.product(contract)
    await desk.mark("product-backlog", made)
    held, go_on = asyncio.Event(), asyncio.Event()
    free = agreed_items.refuse_frozen

    async def found_free(*args: Any, **named: Any) -> None:
        await free(*args, **named)
        held.set()
        await go_on.wait()

    monkeypatch.setattr(agreed_items, "refuse_frozen", found_free)
    deletion = asyncio.create_task(desk.delete(f"{URL}/{made['id']}"))
    await held.wait()
    run = asyncio.create_task(desk.invoice(contract))
    await locks_awaited(runtime)
    go_on.set()
    assert (await deletion).status_code == 204
    assert (await run)["status"] == "skipped"
    assert await rows(runtime, "select * from items") == []


async def test_a_contract_of_products_alone_becomes_active_and_closes(runtime: Runtime, desk: Masters) -> None:
    contract = await desk.contract()
    made = await desk.product(contract)
    assert (await desk.verb(contract["id"], "activate")).status_code == 200
    assert (await desk.patch(f"/v1/contracts/{contract['id']}", {"name": "x"})).status_code == 200
    assert (await desk.verb(contract["id"], "close")).status_code == 200
    assert (await desk.biller.get(f"{URL}/{made['id']}")).json()["billing_status"] == "canceled"
    assert await rows(runtime, "select * from items") == []
    assert await rows(runtime, "select * from actuals") == []
