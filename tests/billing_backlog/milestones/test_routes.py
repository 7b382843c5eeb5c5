"""Milestones over HTTP: making, editing, listing."""

from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json, Masters, pointers
from tests.billing_backlog.milestones.standings import billed_and_credited, put_on_invoice
from tests.billing_backlog.scene import violations
from tests.support.api import Api
from tests.support.rows import rows

URL = "/v1/milestones"


def body(line_id: str, **fields: object) -> Json:
    return {"contract_line_id": line_id, "name": "Acceptance", "date": "2026-02-27", "amount": "1000", **fields}


async def test_one_is_made_with_its_item(runtime: Runtime, desk: Masters) -> None:
    contract, line, _ = await desk.fixed_price(contracted="1000")
    sent = body(line["id"], tax="190.50", description="As agreed", external_id="M-1")
    answer = await desk.biller.post(URL, json=sent)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert {name: made[name] for name in sent} == sent
    standing = {"billing_status": "unbilled", "reasons": ["not_ready", "schedule_missing"], "billed": "0",
                "open": "1000", "invoice_id": None, "currency": "EUR", "contract_id": contract["id"]}  # fmt: skip
    assert {name: made[name] for name in standing} == standing
    shown = await desk.biller.get(answer.headers["location"])
    assert (shown.json(), shown.headers["etag"]) == (made, answer.headers["etag"])
    (item,) = await rows(runtime, "select * from items")
    wanted = {
        "id": UUID(made["id"]), "contract_line_id": UUID(line["id"]), "class": "milestone", "source": "milestone",
        "quantity": Decimal(1), "unit": "each", "price": Decimal(1000), "amount": Decimal(1000),
        "tax": Decimal("190.50"), "currency": "EUR", "billing_type": "chargeable", "description": "Acceptance",
        "external_description": "As agreed", "has_cost_price": True, "billing_status": "unbilled",
    }  # fmt: skip
    assert {name: item[name] for name in wanted} == wanted
    assert (await desk.biller.get("/v1/backlog")).json()["items"] == []
    assert (await desk.biller.get(f"/v1/backlog/{made['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"amount": "0"}, "/amount"),
        ({"amount": "-1"}, "/amount"),
        ({"amount": "1.001"}, "/amount"),
        ({"amount": 1}, "/amount"),
        ({"amount": "1000000000000.01"}, "/amount"),
        ({"tax": "-1"}, "/tax"),
        ({"tax": "0.001"}, "/tax"),
        ({"name": ""}, "/name"),
        ({"date": "2026-02-30"}, "/date"),
        ({"quantity": "1"}, "/quantity"),
        ({"contract_line_id": str(uuid4())}, "/contract_line_id"),
    ],
)
async def test_what_is_wrong_is_named(desk: Masters, fields: Json, pointer: str) -> None:
    _, line, _ = await desk.fixed_price(contracted="1000")
    good = body(line["id"])
    assert pointers(await desk.biller.post(URL, json={**good, **fields})) == [pointer]
    assert pointers(await desk.biller.post(URL, json=[good, {**good, **fields}])) == [f"/1{pointer}"]
    assert (await desk.biller.get(URL)).json()["items"] == []


async def test_only_fixed_price_lines_have_milestones(desk: Masters) -> None:
    contract, line = await desk.active()
    product = await desk.product(contract)
    for one in (line, product):
        assert pointers(await desk.biller.post(URL, json=body(one["id"]))) == ["/contract_line_id"]


async def test_a_line_has_four_hundred_at_most(desk: Masters) -> None:
    _, line, _ = await desk.fixed_price(contracted="1000")
    assert (await desk.biller.post(URL, json=[body(line["id"])] * 400)).status_code == 201
    refused = await desk.biller.post(URL, json=body(line["id"]))
    assert (refused.status_code, refused.json()["reason"]) == (409, "limit_exceeded")


async def test_an_external_id_is_taken_once(desk: Masters) -> None:
    _, line, _ = await desk.fixed_price(contracted="1000")
    await desk.milestone(line, external_id="M")
    assert (await desk.biller.post(URL, json=body(line["id"], external_id="M"))).status_code == 409


async def test_an_edit_takes_the_item_with_it(runtime: Runtime, desk: Masters) -> None:
    _, line, (made,) = await desk.fixed_price("1000")
    path = f"{URL}/{made['id']}"
    await desk.mark("milestones", made)
    change = {"name": "Done", "date": "2026-03-31", "amount": "900.50", "tax": "1", "description": "x"}
    edited = await desk.patch(path, change, '"1"')
    shown = edited.json()
    assert {name: shown[name] for name in change} == change
    assert (shown["version"], shown["billing_status"]) == (2, "ready")
    assert shown["reasons"] == ["milestones_do_not_add_up", "future_dated"]
    (item,) = await rows(runtime, "select * from items")
    assert (item["amount"], item["price"], item["tax"], str(item["date"]), item["description"]) == (
        Decimal("900.50"), Decimal("900.50"), Decimal(1), "2026-03-31", "Done"
    )  # fmt: skip
    assert pointers(await desk.patch(path, {"amount": "1.001"})) == ["/amount"]
    assert pointers(await desk.patch(path, {"amount": None})) == ["/amount"]
    assert pointers(await desk.patch(path, {"contract_line_id": line["id"]})) == ["/contract_line_id"]
    assert (await desk.patch(path, {"name": "Done"})).json()["version"] == 2
    assert (await desk.patch(path, {"name": "x"}, '"1"')).status_code == 412
    assert (await desk.biller.patch(path, json={"name": "x"})).status_code == 428
    assert (await desk.delete(path, '"1"')).status_code == 412
    assert (await desk.delete(path, '"2"')).status_code == 204
    assert await rows(runtime, "select * from items") == []
    assert [(await call).status_code for call in (desk.biller.get(path), desk.delete(path))] == [404, 404]


@pytest.mark.parametrize("status", ["on_invoice", "posted"])
async def test_one_that_is_billed_is_frozen_and_named_with_its_invoice(
    runtime: Runtime, desk: Masters, status: str
) -> None:
    contract, _, (made, _) = await desk.fixed_price("1000", "500")
    invoice = await put_on_invoice(runtime, desk, contract, made, posted=status == "posted")
    path = f"{URL}/{made['id']}"
    for refused in (await desk.patch(path, {"name": "x"}), await desk.delete(path)):
        told = refused.json()
        assert (refused.status_code, told["reason"], told["invoice_id"]) == (409, status, str(invoice))
    shown = (await desk.biller.get(path)).json()
    assert (shown["billing_status"], shown["invoice_id"], shown["reasons"]) == (status, str(invoice), [status])
    assert (shown["billed"], shown["open"]) == (("1000", "0") if status == "posted" else ("0", "1000"))
    assert await violations(runtime) == []


async def test_one_that_was_credited_is_open_again_and_not_deleted(runtime: Runtime, desk: Masters) -> None:
    contract, _, (made,) = await desk.fixed_price("1000")
    await billed_and_credited(runtime, desk, contract, made)
    path = f"{URL}/{made['id']}"
    shown = (await desk.biller.get(path)).json()
    assert (shown["billing_status"], shown["billed"], shown["open"], shown["invoice_id"]) == (
        "unbilled", "0", "1000", None
    )  # fmt: skip
    assert (await desk.delete(path)).status_code == 409
    assert (await desk.patch(path, {"name": "x"})).status_code == 200
    assert (await desk.mark("milestones", made))["changed"] == 1
    assert (await desk.invoice(contract))["claims"][0]["items"] == 1
    assert await violations(runtime) == []


async def test_a_closed_contract_cancels_them_and_keeps_them_as_they_are(desk: Masters) -> None:
    contract, line, (made,) = await desk.fixed_price("1000")
    assert (await desk.verb(contract["id"], "close")).status_code == 200
    path = f"{URL}/{made['id']}"
    shown = (await desk.biller.get(path)).json()
    assert (shown["billing_status"], shown["reasons"], shown["open"]) == ("canceled", ["canceled"], "0")
    for refused in (await desk.patch(path, {"name": "x"}), await desk.delete(path),
                    await desk.biller.post(URL, json=body(line["id"]))):  # fmt: skip
        assert (refused.status_code, refused.json()["state"]) == (409, "closed")
    told = await desk.mark("milestones", made)
    assert [one["reason"] for one in told["refused"]] == ["canceled"]


@pytest.mark.parametrize("status", ["unbilled", "ready", "on_invoice", "posted"])
async def test_a_line_goes_only_while_its_milestones_are_unbilled(runtime: Runtime, desk: Masters, status: str) -> None:
    contract, line, (made, _) = await desk.fixed_price("1000", "500")
    if status == "ready":
        await desk.mark("milestones", made)
    elif status != "unbilled":
        await put_on_invoice(runtime, desk, contract, made, posted=status == "posted")
    answer = await desk.delete(f"/v1/contract-lines/{line['id']}")
    assert answer.status_code == (204 if status == "unbilled" else 409)
    left = await rows(runtime, "select * from milestones")
    assert len(left) == (0 if status == "unbilled" else 2)


async def test_the_list_has_filters(desk: Masters) -> None:
    one, line, first = await desk.fixed_price("1000", "500")
    other = await desk.contract()
    far = await desk.line(other, project="Q", billing_method="fixed_price", contracted_amount="5")
    last = await desk.milestone(far, date="2026-06-01", external_id="F")
    await desk.mark("milestones", first[0])
    made = [*first, last]
    for params, wanted in (
        ({"contract_id": one["id"]}, [0, 1]),
        ({"contract_line_id": far["id"]}, [2]),
        ({"billing_status": "ready"}, [0]),
        ({"billing_status": "unbilled", "date_to": "2026-05-31"}, [1]),
        ({"date_from": "2026-03-01"}, [2]),
        ({"external_id": "F"}, [2]),
        ({"project": "Q"}, [2]),
        ({"project": "Q", "reason": "milestones_do_not_add_up"}, [2]),
        ({"contract_id": one["id"], "reason": "milestones_do_not_add_up"}, []),
        ({"contract_line_id": line["id"], "reason": "not_ready"}, [1]),
        ({}, [0, 1, 2]),
    ):
        found = (await desk.biller.get(URL, params=params)).json()["items"]
        assert [found_one["id"] for found_one in found] == sorted(made[n]["id"] for n in wanted)
    assert pointers(await desk.biller.get(URL, params={"reason": "not_ready"})) != []
    page = (await desk.biller.get(URL, params={"limit": 2})).json()
    rest = (await desk.biller.get(URL, params={"limit": 2, "after": page["next"]})).json()
    assert (len(page["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
    assert line["id"] == page["items"][0]["contract_line_id"]
    assert set(last["reasons"]) == {"not_ready", "milestones_do_not_add_up", "future_dated", "contract_not_active"}


async def test_who_may(client: Api, desk: Masters) -> None:
    _, line, (made,) = await desk.fixed_price("1000")
    path = f"{URL}/{made['id']}"
    assert (await client.as_("submitter").get(path)).status_code == 403
    for role in ("approver", "service"):
        other = client.as_(role)
        assert (await other.get(path)).status_code == 200
        assert (await other.post(URL, json=body(line["id"]))).status_code == 403
        assert (await other.patch(path, json={}, headers={"If-Match": "*"})).status_code == 403
        assert (await other.delete(path, headers={"If-Match": "*"})).status_code == 403
        for verb in ("mark-ready", "unmark-ready"):
            assert (await other.post(f"{URL}/{verb}", json={"ids": [made["id"]]})).status_code == 403
