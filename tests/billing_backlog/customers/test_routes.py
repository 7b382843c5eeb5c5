"""Customers over HTTP."""

import asyncio
from typing import Any

import pytest

from billing_backlog.customers import service
from billing_backlog.customers.queries import get_customer
from tests.billing_backlog.masters import Masters, Meeting, pointers, statuses
from tests.support.api import Api


async def test_one_is_made_and_shown(desk: Masters) -> None:
    body = {
        "name": "Harbour Works",
        "external_id": "C-1",
        "billing_address": "1 Quay\nBristol",
        "payment_terms_days": 30,
        "tax_id": "GB1",
    }
    answer = await desk.biller.post("/v1/customers", json=body)
    assert answer.status_code == 201
    made = answer.json()
    assert {name: made[name] for name in body} == body
    assert (made["version"], made["created_by"], made["created_at"]) == (1, "biller", "2026-03-02T09:00:00Z")
    assert answer.headers["etag"] == '"1"'
    shown = await desk.biller.get(answer.headers["location"])
    assert shown.json() == made
    assert shown.headers["etag"] == '"1"'


async def test_an_array_is_made_whole_or_not_at_all(desk: Masters) -> None:
    await desk.customer(external_id="A")
    sent = [{"name": "1", "external_id": "B"}, {"name": "2", "external_id": "A"}, {"name": "3", "external_id": "B"}]
    answer = await desk.biller.post("/v1/customers", json=sent)
    assert pointers(answer) == ["/1/external_id", "/2/external_id"]
    bad = await desk.biller.post("/v1/customers", json=[{"name": "1"}, {"nam": "2"}])
    assert pointers(bad) == ["/1/name", "/1/nam"]
    assert len((await desk.biller.get("/v1/customers")).json()["items"]) == 1

    made = await desk.biller.post("/v1/customers", json=[{"name": "1"}, {"name": "2"}])
    assert made.status_code == 201
    assert [one["name"] for one in made.json()["items"]] == ["1", "2"]


@pytest.mark.parametrize("count", [0, 1001])
async def test_an_array_has_limits(desk: Masters, count: int) -> None:
    answer = await desk.biller.post("/v1/customers", json=[{"name": "1"}] * count)
    assert answer.status_code == 422


async def test_an_external_id_is_taken_once(desk: Masters) -> None:
    first = await desk.customer(external_id="C-1")
    again = await desk.biller.post("/v1/customers", json={"name": "Other", "external_id": "C-1"})
    assert again.status_code == 409
    assert first["id"] in again.json()["detail"]
    other = await desk.customer()
    taken = await desk.patch(f"/v1/customers/{other['id']}", {"external_id": "C-1"})
    assert taken.status_code == 409


async def test_an_array_under_one_key_is_made_once(desk: Masters) -> None:
    key = {"Idempotency-Key": "k"}
    sent = [{"name": "1"}, {"name": "2"}]
    first = await desk.biller.post("/v1/customers", json=sent, headers=key)
    second = await desk.biller.post("/v1/customers", json=sent, headers=key)
    assert second.headers["idempotency-replayed"] == "true"
    assert second.json() == first.json()
    assert len((await desk.biller.get("/v1/customers")).json()["items"]) == 2


async def test_the_list_has_pages_and_filters(desk: Masters) -> None:
    made = [(await desk.customer(name=str(n), external_id=f"C-{n}"))["id"] for n in range(5)]
    seen: list[str] = []
    after = None
    while True:
        params = {"limit": 2} | ({"after": after} if after else {})
        page = (await desk.biller.get("/v1/customers", params=params)).json()
        seen += [one["id"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == sorted(made)
    found = (await desk.biller.get("/v1/customers", params={"external_id": "C-3"})).json()["items"]
    assert [one["id"] for one in found] == [made[3]]
    for wrong in ({"limit": 0}, {"limit": 1001}, {"after": "x"}, {"nam": "x"}):
        assert (await desk.biller.get("/v1/customers", params=wrong)).status_code == 422


async def test_an_edit_raises_the_version_and_null_empties(desk: Masters) -> None:
    made = await desk.customer(tax_id="GB1", payment_terms_days=30)
    path = f"/v1/customers/{made['id']}"
    edited = await desk.patch(path, {"name": "New", "tax_id": None}, '"1"')
    assert edited.status_code == 200
    assert edited.headers["etag"] == '"2"'
    shown = (await desk.biller.get(path)).json()
    assert shown == edited.json() == {**made, "name": "New", "tax_id": None, "version": 2}
    assert pointers(await desk.patch(path, {"name": None})) == ["/name"]


async def test_an_edit_that_changes_nothing_keeps_the_version(desk: Masters) -> None:
    made = await desk.customer()
    for same in ({}, {"name": made["name"]}):
        assert (await desk.patch(f"/v1/customers/{made['id']}", same)).json() == made


async def test_an_edit_needs_the_version_that_was_read(desk: Masters) -> None:
    made = await desk.customer()
    path = f"/v1/customers/{made['id']}"
    assert (await desk.biller.patch(path, json={"name": "x"})).status_code == 428
    assert (await desk.patch(path, {"name": "x"}, '"2"')).status_code == 412
    assert (await desk.biller.delete(path)).status_code == 428
    assert (await desk.delete(path, '"2"')).status_code == 412
    assert (await desk.biller.get(path)).json() == made


async def test_of_two_edits_at_once_one_wins(desk: Masters, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await desk.customer()
    monkeypatch.setattr(service, "get_customer", Meeting().after(get_customer))
    path = f"/v1/customers/{made['id']}"
    both = await asyncio.gather(*(desk.patch(path, {"name": name}, '"1"') for name in ("one", "two")))
    assert statuses(*both) == [200, 412]


async def test_a_customer_with_a_contract_stays(desk: Masters) -> None:
    used = await desk.customer()
    contract = await desk.contract(customer_id=used["id"])
    refused = await desk.delete(f"/v1/customers/{used['id']}")
    assert refused.status_code == 409
    assert refused.json()["contract_id"] == contract["id"]
    free = await desk.customer()
    assert (await desk.delete(f"/v1/customers/{free['id']}", '"1"')).status_code == 204
    assert (await desk.biller.get(f"/v1/customers/{free['id']}")).status_code == 404
    assert (await desk.delete(f"/v1/customers/{free['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"name": "x", "payment_terms_days": -1}, "/payment_terms_days"),
        ({"name": "x", "payment_terms_days": 3651}, "/payment_terms_days"),
        ({"name": "x", "colour": "red"}, "/colour"),
    ],
)
async def test_what_is_wrong_is_named(desk: Masters, body: dict[str, Any], pointer: str) -> None:
    assert pointers(await desk.biller.post("/v1/customers", json=body)) == [pointer]


async def test_only_billers_and_managers_write(client: Api, desk: Masters) -> None:
    made = await desk.customer()
    path = f"/v1/customers/{made['id']}"
    for role in ("submitter", "approver", "service"):
        other = client.as_(role)
        assert (await other.get(path)).status_code == 200
        assert (await other.post("/v1/customers", json={"name": "x"})).status_code == 403
        assert (await other.patch(path, json={"name": "x"}, headers={"If-Match": "*"})).status_code == 403
        assert (await other.delete(path, headers={"If-Match": "*"})).status_code == 403
    assert (await client.with_token(None).get(path)).status_code == 401
    assert (await desk.manager.post("/v1/customers", json={"name": "x"})).status_code == 201
