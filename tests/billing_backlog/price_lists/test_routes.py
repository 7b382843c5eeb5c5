"""Price lists over HTTP."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from billing_backlog.contracts import service as contracts
from billing_backlog.price_lists import queries, service
from proforma.db import fetch
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json, Masters, Meeting, pointers, statuses
from tests.support.api import Api

URL = "/v1/price-lists"


def rate(role: str = "dev", price: str = "200", **fields: Any) -> Json:
    return {"class": "time", "role": role, "price": price, **fields}


def markup(percent: str, **fields: Any) -> Json:
    return {"class": "expense", "method": "markup", "markup_percent": percent, **fields}


def body(**fields: Any) -> Json:
    return {"name": "Standard", "kind": "sales", "currency": "EUR", **fields}


async def test_one_is_made_with_its_rates(desk: Masters) -> None:
    sent = body(
        external_id="P-1", valid_from="2026-01-01", valid_to="2026-12-31", rates=[rate(), rate("arch", "0.1234")]
    )
    answer = await desk.biller.post(URL, json=sent)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    none = dict.fromkeys(("category", "product", "resource", "markup_percent"))
    shared = {"unit": "hour", "method": "per_unit", "class": "time", **none}
    assert made["rates"] == [
        {**shared, "role": "arch", "price": "0.1234"},
        {**shared, "role": "dev", "price": "200.0000"},
    ]
    assert made["rate_count"] == 2
    assert {name: made[name] for name in sent if name != "rates"} == {n: v for n, v in sent.items() if n != "rates"}
    shown = await desk.biller.get(answer.headers["location"])
    assert shown.json() == made
    assert shown.headers["etag"] == answer.headers["etag"] == '"1"'


async def test_the_list_shows_no_rates_and_has_filters(desk: Masters) -> None:
    sales = await desk.price_list(external_id="S", rates=[rate(), rate("arch")])
    cost = await desk.price_list(kind="cost", currency="USD")
    found = (await desk.biller.get(URL, params={"kind": "sales"})).json()["items"]
    assert [(one["id"], one["rate_count"], "rates" in one) for one in found] == [(sales["id"], 2, False)]
    for params, wanted in (({"currency": "USD"}, cost), ({"kind": "cost"}, cost), ({"external_id": "S"}, sales)):
        assert [one["id"] for one in (await desk.biller.get(URL, params=params)).json()["items"]] == [wanted["id"]]
    first = (await desk.biller.get(URL, params={"limit": 1})).json()
    rest = (await desk.biller.get(URL, params={"limit": 1, "after": first["next"]})).json()
    assert [first["items"][0]["id"], rest["items"][0]["id"]] == sorted([sales["id"], cost["id"]])
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"kind": "purchase"}, "/kind"),
        ({"currency": "eur"}, "/currency"),
        ({"valid_from": "2026-02-01", "valid_to": "2026-01-31"}, "/valid_to"),
        ({"rates": [rate(), rate("arch"), rate()]}, "/rates/2"),
        ({"rates": [rate(price="-0.01")]}, "/rates/0/price"),
        ({"rates": [rate(price="1.00001")]}, "/rates/0/price"),
        ({"rates": [rate(price="1000000000.01")]}, "/rates/0/price"),
        ({"rates": [{**rate(), "price": 200}]}, "/rates/0/price"),
        ({"rates": [{"class": "time", "price": "1"}]}, "/rates/0/role"),
        ({"rates": [{**rate(), "class": "fee"}]}, "/rates/0/class"),
        ({"rates": [{"role": "dev", "price": "1"}]}, "/rates/0/class"),
        ({"rates": ["dev"]}, "/rates/0"),
        ({"rates": [{"class": "expense", "price": "1", "role": "dev"}]}, "/rates/0/role"),
        ({"rates": [{"class": "material", "price": "1", "category": "x"}]}, "/rates/0/category"),
        ({"rates": [{"class": "time", "role": "dev"}]}, "/rates/0/price"),
        ({"rates": [{"class": "expense"}]}, "/rates/0/price"),
        ({"rates": [{"class": "expense", "method": "markup"}]}, "/rates/0/markup_percent"),
        ({"rates": [markup("1000.0001")]}, "/rates/0/markup_percent"),
        ({"rates": [markup("0.00001")]}, "/rates/0/markup_percent"),
        ({"rates": [markup("-1")]}, "/rates/0/markup_percent"),
        ({"rates": [rate(method="at_cost")]}, "/rates/0/price"),
        ({"rates": [rate(markup_percent="1")]}, "/rates/0/markup_percent"),
        ({"rates": [rate(method="gift")]}, "/rates/0/method"),
        ({"kind": "cost", "rates": [rate(), {"class": "expense", "price": "1"}]}, "/rates/1/class"),
        ({"kind": "cost", "rates": [{"class": "time", "role": "dev", "method": "at_cost"}]}, "/rates/0/method"),
        ({"rates": [rate(unit="day")]}, "/rates/0/unit"),
        ({"rates": [rate(str(n)) for n in range(1001)]}, "/rates"),
    ],
)
async def test_what_is_wrong_is_named(desk: Masters, fields: Json, pointer: str) -> None:
    assert pointers(await desk.biller.post(URL, json=body(**fields))) == [pointer]
    assert pointers(await desk.biller.post(URL, json=[body(), body(**fields)])) == [f"/1{pointer}"]
    assert (await desk.biller.get(URL)).json()["items"] == []


async def test_a_value_that_comes_later_is_refused_with_those_that_are_allowed(desk: Masters) -> None:
    answer = await desk.biller.post(URL, json=body(rates=[{**rate(), "class": "fee"}]))
    assert answer.json()["errors"][0]["allowed"] == ["time", "expense", "material"]


async def test_every_class_and_method_is_kept_as_it_was_sent(desk: Masters) -> None:
    rates = [
        markup("12.5", category="Travel"),
        {"class": "expense", "method": "at_cost", "resource": "ann"},
        {"class": "expense", "method": "at_cost"},
        {"class": "material", "product": "CABLE", "price": "4"},
        {"class": "material", "product": "CABLE", "unit": "m", "price": "3"},
        rate(resource="ann"),
        {"class": "time", "role": "dev", "method": "markup", "markup_percent": "1000"},
    ]
    made = await desk.price_list(rates=rates)
    for sent, shown in zip(rates, made["rates"], strict=True):
        figures = ("price", "markup_percent")
        assert {name: shown[name] for name in sent if name not in figures} == {
            name: value for name, value in sent.items() if name not in figures
        }
        assert [shown[name] and Decimal(shown[name]) for name in figures] == [
            sent.get(name) and Decimal(sent[name]) for name in figures
        ]
    assert [one["unit"] for one in made["rates"]] == ["each", "each", "each", "each", "m", "hour", "hour"]


async def test_rates_differ_by_resource_and_unit_and_repeated_ones_are_named(desk: Masters) -> None:
    travel = {"class": "expense", "category": "Travel", "price": "1"}
    sent = [travel, {**travel, "unit": "km"}, {**travel, "resource": "ann"}, {**travel, "price": "2"}]
    refused = await desk.biller.post(URL, json=[body(), body(rates=sent)])
    assert pointers(refused) == ["/1/rates/3"]
    assert "/1/rates/0" in refused.json()["errors"][0]["detail"]


async def test_a_list_becomes_a_cost_list_only_with_rates_that_fit(desk: Masters) -> None:
    made = await desk.price_list(rates=[rate(), markup("5")])
    path = f"{URL}/{made['id']}"
    assert pointers(await desk.patch(path, {"kind": "cost"})) == ["/kind"]
    assert pointers(await desk.patch(path, {"kind": "cost", "rates": [markup("5")]})) == [
        "/rates/0/class", "/rates/0/method"
    ]  # fmt: skip
    assert (await desk.biller.get(path)).json() == made
    assert (await desk.patch(path, {"kind": "cost", "rates": [rate()]})).json()["kind"] == "cost"


async def test_a_list_holds_a_thousand_rates(desk: Masters) -> None:
    made = await desk.price_list(rates=[rate(str(n)) for n in range(1000)])
    assert made["rate_count"] == 1000


async def test_an_edit_replaces_all_rates_and_those_that_stay_keep_their_row(runtime: Runtime, desk: Masters) -> None:
    made = await desk.price_list(rates=[rate("a"), rate("b"), rate("c")])
    path = f"{URL}/{made['id']}"
    before = await rate_ids(runtime)
    edited = (await desk.patch(path, {"rates": [rate("b", "200.00"), rate("c", "210"), rate("d")]}, '"1"')).json()
    assert [(one["role"], one["price"]) for one in edited["rates"]] == [
        ("b", "200.0000"),
        ("c", "210.0000"),
        ("d", "200.0000"),
    ]
    assert edited["version"] == 2
    after = await rate_ids(runtime)
    assert after["b"] == before["b"]
    assert after["c"] != before["c"]
    assert (await desk.biller.get(path)).json() == edited

    same = await desk.patch(path, {"rates": [rate("d"), rate("c", "210"), rate("b")]})
    assert same.json()["version"] == 2
    assert (await desk.patch(path, {"rates": []})).json()["rates"] == []
    assert pointers(await desk.patch(path, {"rates": [rate(), rate()]})) == ["/rates/1"]
    assert pointers(await desk.patch(path, {"rates": None})) == ["/rates"]


async def rate_ids(runtime: Runtime) -> dict[str, Any]:
    async with runtime.database.transaction() as session:
        return {row["role"]: row["id"] for row in await fetch(session, "select role, id from rates")}


async def test_an_edit_of_both_raises_the_version_once(desk: Masters) -> None:
    made = await desk.price_list()
    edited = await desk.patch(f"{URL}/{made['id']}", {"name": "New", "rates": [rate("x")]})
    assert (edited.json()["version"], edited.headers["etag"]) == (2, '"2"')


async def test_validity_is_checked_with_what_is_kept(desk: Masters) -> None:
    made = await desk.price_list(valid_from="2026-02-01")
    path = f"{URL}/{made['id']}"
    assert pointers(await desk.patch(path, {"valid_to": "2026-01-31"})) == ["/valid_to"]
    assert (await desk.patch(path, {"valid_from": None, "valid_to": "2026-01-31"})).status_code == 200


async def test_a_used_list_changes_its_rates_but_not_its_kind_or_currency(desk: Masters) -> None:
    sales, cost = await desk.price_list(), await desk.price_list(kind="cost")
    contract = await desk.contract(sales_price_list_ids=[sales["id"]], cost_price_list_id=cost["id"])
    for used, other in ((sales, "cost"), (cost, "sales")):
        path = f"{URL}/{used['id']}"
        for change in ({"kind": other}, {"currency": "USD"}):
            refused = await desk.patch(path, change)
            assert refused.status_code == 409
            assert refused.json()["contract_id"] == contract["id"]
        assert (await desk.delete(path)).status_code == 409
        assert (await desk.patch(path, {"kind": used["kind"], "rates": [rate(price="1")]})).status_code == 200
    free = await desk.price_list()
    assert (await desk.patch(f"{URL}/{free['id']}", {"kind": "cost", "currency": "USD"})).status_code == 200
    assert (await desk.delete(f"{URL}/{free['id']}", '"1"')).status_code == 412
    assert (await desk.delete(f"{URL}/{free['id']}", '"2"')).status_code == 204
    assert (await desk.biller.get(f"{URL}/{free['id']}")).status_code == 404


async def test_widening_a_list_into_another_of_its_contract_is_refused(desk: Masters) -> None:
    old = await desk.price_list(valid_to="2025-12-31")
    new = await desk.price_list(valid_from="2026-01-01")
    contract = await desk.contract(sales_price_list_ids=[old["id"], new["id"]])
    refused = await desk.patch(f"{URL}/{old['id']}", {"valid_to": "2026-01-01"})
    assert refused.status_code == 409
    assert (refused.json()["contract_id"], refused.json()["price_list_id"]) == (contract["id"], new["id"])
    assert (await desk.biller.get(f"{URL}/{old['id']}")).json() == old
    assert (await desk.patch(f"{URL}/{old['id']}", {"valid_to": "2025-11-30"})).status_code == 200


async def test_two_lists_are_not_widened_into_each_other_at_once(
    desk: Masters, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await desk.price_list(valid_to="2025-06-30")
    new = await desk.price_list(valid_from="2026-06-01")
    await desk.contract(sales_price_list_ids=[old["id"], new["id"]])
    monkeypatch.setattr(service, "overlap_with", Meeting().after(queries.overlap_with))
    both = await asyncio.gather(
        desk.patch(f"{URL}/{old['id']}", {"valid_to": "2025-12-31"}),
        desk.patch(f"{URL}/{new['id']}", {"valid_from": "2025-12-31"}),
    )
    assert statuses(*both) == [200, 409]


async def test_a_list_is_not_deleted_while_a_contract_takes_it_up(
    desk: Masters, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer, made = await desk.customer(), await desk.price_list()
    meeting = Meeting()
    monkeypatch.setattr(contracts, "terms_of", meeting.after(queries.terms_of))
    monkeypatch.setattr(service, "user_of", meeting.after(queries.user_of))
    contract = {"name": "x", "customer_id": customer["id"], "currency": "EUR", "sales_price_list_ids": [made["id"]]}
    created, deleted = await asyncio.gather(
        desk.biller.post("/v1/contracts", json=contract), desk.delete(f"{URL}/{made['id']}")
    )
    assert (created.status_code, deleted.status_code) in {(201, 409), (422, 204)}


async def test_of_two_edits_at_once_one_wins(desk: Masters, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await desk.price_list()
    monkeypatch.setattr(service, "get_price_list", Meeting().after(queries.get_price_list))
    edits = (desk.patch(f"{URL}/{made['id']}", {"rates": [rate(role)]}, '"1"') for role in ("a", "b"))
    assert statuses(*await asyncio.gather(*edits)) == [200, 412]


async def test_only_billers_and_managers_write(client: Api, desk: Masters) -> None:
    made = await desk.price_list()
    path = f"{URL}/{made['id']}"
    for role in ("submitter", "approver", "service"):
        other = client.as_(role)
        assert (await other.get(path)).status_code == 200
        assert (await other.post(URL, json=body())).status_code == 403
        assert (await other.patch(path, json={}, headers={"If-Match": "*"})).status_code == 403
        assert (await other.delete(path, headers={"If-Match": "*"})).status_code == 403
    assert (await desk.biller.patch(path, json={})).status_code == 428
