"""Contracts over HTTP. Activating and closing: `contract_lifecycle`."""

import asyncio
from uuid import UUID, uuid4

import pytest

from billing_backlog.contracts import service
from billing_backlog.contracts.queries import get_contract
from proforma.db import execute
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json, Masters, Meeting, contract_body, pointers, statuses
from tests.support.api import Api

URL = "/v1/contracts"
ACTUAL = """
insert into actuals (id, type, class, cause, date, accounting_date, posted_at, posted_by, quantity, unit,
                     contract_id, contract_line_id)
values (gen_random_uuid(), 'cost', 'time', 'approve', '2026-03-01', '2026-03-02', now(), 't', 8, 'hour', $1, $2)
"""


async def post_work(runtime: Runtime, contract_id: str, line_id: str | None = None) -> None:
    async with runtime.database.transaction() as session:
        await execute(session, ACTUAL, UUID(contract_id), UUID(line_id) if line_id else None)


async def test_one_is_made_as_a_draft(desk: Masters) -> None:
    sales, cost = await desk.price_list(), await desk.price_list(kind="cost", currency="USD")
    sent = {
        **contract_body((await desk.customer())["id"]),
        "external_id": "K-1",
        "sales_price_list_ids": [sales["id"]],
        "cost_price_list_id": cost["id"],
        "end_date": "2026-12-31",
        "time_zone": "Europe/Berlin",
    }
    answer = await desk.biller.post(URL, json=sent)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert {name: made[name] for name in sent} == sent
    assert (made["status"], made["version"]) == ("draft", 1)
    shown = await desk.biller.get(answer.headers["location"])
    assert shown.json() == made
    assert shown.headers["etag"] == answer.headers["etag"] == '"1"'


async def test_the_time_zone_is_utc_unless_said(desk: Masters) -> None:
    made = await desk.contract()
    assert (made["time_zone"], made["sales_price_list_ids"], made["cost_price_list_id"]) == ("UTC", [], None)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"customer_id": str(uuid4())}, "/customer_id"),
        ({"customer_id": "x"}, "/customer_id"),
        ({"currency": "EURO"}, "/currency"),
        ({"time_zone": "Europe/Atlantis"}, "/time_zone"),
        ({"end_date": "2026-02-30"}, "/end_date"),
        ({"status": "active"}, "/status"),
        ({"sales_price_list_ids": [str(uuid4())]}, "/sales_price_list_ids/0"),
        ({"sales_price_list_ids": [str(uuid4())] * 101}, "/sales_price_list_ids"),
        ({"cost_price_list_id": str(uuid4())}, "/cost_price_list_id"),
    ],
)
async def test_what_is_wrong_is_named(desk: Masters, fields: Json, pointer: str) -> None:
    good = contract_body((await desk.customer())["id"])
    assert pointers(await desk.biller.post(URL, json={**good, **fields})) == [pointer]
    assert pointers(await desk.biller.post(URL, json=[good, {**good, **fields}])) == [f"/1{pointer}"]
    assert (await desk.biller.get(URL)).json()["items"] == []


async def test_sales_lists_share_the_currency_and_are_apart(desk: Masters) -> None:
    old = await desk.price_list(valid_to="2025-12-31")
    new = await desk.price_list(valid_from="2026-01-01")
    dollar = await desk.price_list(currency="USD")
    made = await desk.contract(sales_price_list_ids=[new["id"], old["id"]])
    assert made["sales_price_list_ids"] == [new["id"], old["id"]]
    path = f"{URL}/{made['id']}"
    assert pointers(await desk.patch(path, {"sales_price_list_ids": [old["id"], dollar["id"]]})) == [
        "/sales_price_list_ids/1"
    ]
    assert pointers(await desk.patch(path, {"currency": "USD"})) == [
        "/sales_price_list_ids/0",
        "/sales_price_list_ids/1",
    ]
    both = {"currency": "USD", "sales_price_list_ids": [dollar["id"]]}
    assert (await desk.patch(path, both)).status_code == 200
    assert (await desk.patch(f"/v1/price-lists/{new['id']}", {"valid_from": None})).status_code == 200
    assert pointers(await desk.patch(path, {"sales_price_list_ids": [old["id"], new["id"]], "currency": "EUR"})) == [
        "/sales_price_list_ids/1"
    ]


async def test_the_list_has_filters(desk: Masters) -> None:
    draft = await desk.contract(external_id="K-1")
    active, _ = await desk.active()
    wanted: list[tuple[Json, Json]] = [
        ({"status": "draft"}, draft),
        ({"status": "active"}, active),
        ({"customer_id": active["customer_id"]}, active),
        ({"external_id": "K-1"}, draft),
    ]
    for params, one in wanted:
        assert (await desk.biller.get(URL, params=params)).json()["items"] == [one]
    first = (await desk.biller.get(URL, params={"limit": 1})).json()
    rest = (await desk.biller.get(URL, params={"limit": 1, "after": first["next"]})).json()
    assert [*first["items"], *rest["items"]] == sorted([draft, active], key=lambda one: str(one["id"]))
    assert rest["next"] is None
    assert (await desk.biller.get(URL, params={"status": "lost"})).status_code == 422


async def test_an_edit_raises_the_version_and_null_empties(desk: Masters) -> None:
    cost = await desk.price_list(kind="cost")
    made = await desk.contract(end_date="2026-12-31", cost_price_list_id=cost["id"])
    path = f"{URL}/{made['id']}"
    other = (await desk.customer())["id"]
    change = {
        "name": "New", "end_date": None, "cost_price_list_id": None, "customer_id": other, "time_zone": "Asia/Tokyo"
    }  # fmt: skip
    edited = await desk.patch(path, change, '"1"')
    assert edited.json() == {**made, **change, "version": 2}
    assert edited.headers["etag"] == '"2"'
    assert (await desk.biller.get(path)).json() == edited.json()
    assert pointers(await desk.patch(path, {"customer_id": str(uuid4())})) == ["/customer_id"]
    assert pointers(await desk.patch(path, {"customer_id": None})) == ["/customer_id"]
    assert (await desk.patch(path, {"name": "x"}, '"1"')).status_code == 412
    assert (await desk.biller.patch(path, json={"name": "x"})).status_code == 428
    assert (await desk.patch(f"{URL}/{uuid4()}", {"name": "x"})).status_code == 404


@pytest.mark.parametrize("field", ["currency", "time_zone", "customer_id"])
async def test_work_fixes_currency_time_zone_and_customer(runtime: Runtime, desk: Masters, field: str) -> None:
    contract, _ = await desk.active()
    path = f"{URL}/{contract['id']}"
    other = {"currency": "USD", "time_zone": "Asia/Tokyo", "customer_id": (await desk.customer())["id"]}
    await post_work(runtime, contract["id"])
    refused = await desk.patch(path, {field: other[field]})
    assert refused.status_code == 409
    assert field in refused.json()["detail"]
    same = await desk.patch(path, {field: contract[field], "name": "New", "end_date": "2027-01-01"})
    assert same.status_code == 200


async def test_before_there_is_work_an_active_contract_changes_them(desk: Masters) -> None:
    contract, _ = await desk.active()
    assert (
        await desk.patch(f"{URL}/{contract['id']}", {"currency": "USD", "time_zone": "Asia/Tokyo"})
    ).status_code == 200


async def test_of_two_edits_at_once_one_wins(desk: Masters, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await desk.contract()
    monkeypatch.setattr(service, "get_contract", Meeting().after(get_contract))
    edits = (desk.patch(f"{URL}/{made['id']}", {"name": name}, '"1"') for name in ("a", "b"))
    assert statuses(*await asyncio.gather(*edits)) == [200, 412]


async def test_external_ids_are_unique(desk: Masters) -> None:
    made = await desk.contract(external_id="K-1")
    again = {**contract_body(made["customer_id"]), "external_id": "K-1"}
    refused = await desk.biller.post(URL, json=again)
    assert refused.status_code == 409
    assert made["id"] in refused.json()["detail"]
    assert pointers(await desk.biller.post(URL, json=[again])) == ["/0/external_id"]


async def test_only_billers_and_managers_write(client: Api, desk: Masters) -> None:
    made = await desk.contract()
    path = f"{URL}/{made['id']}"
    for role in ("submitter", "approver", "service"):
        other = client.as_(role)
        assert (await other.get(path)).status_code == 200
        assert (await other.post(URL, json=contract_body())).status_code == 403
        assert (await other.patch(path, json={}, headers={"If-Match": "*"})).status_code == 403
