"""`/v1/entries` over HTTP: what it takes, what it shows to whom, and what it answers to bad input."""

from typing import Any

import pytest

from proforma.db import fetch_value
from proforma.events.time_expense import EntriesApproved
from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.events import outbox_of
from tests.time_expense.work import ANY, ENTRIES, body, made, person, pm, pointers, problem, submitted


@pytest.fixture
async def client(api: MakeApi) -> Api:
    return await api("time-expense")


async def count(client: Api) -> int:
    async with client.runtime.database.transaction() as session:
        found: int = await fetch_value(session, "select count(*) from entries")
        return found


async def test_one_entry_comes_back_as_it_was_sent_with_the_service_s_own_fields(client: Api) -> None:
    sent = body(description="two\nlines", external_description="for you", external_id="te-1")
    answer = await person(client).post(ENTRIES, json=sent)
    assert answer.status_code == 201
    entry = answer.json()
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"] == f"{ENTRIES}/{entry['id']}"
    own = {
        "status": "draft", "revision": 0, "version": 1, "unit": "hour", "created_by": "ada",
        "created_at": "2026-03-02T09:00:00Z", "updated_at": "2026-03-02T09:00:00Z",
        "submitted_by": None, "submitted_at": None, "decided_by": None, "decided_at": None, "reason": None,
        "billable_quantity": None, "billing_type": None, "cancellation": None, "id": entry["id"],
        "category": None, "product": None, "write_in": None, "unit_cost": None, "currency": None,
    }  # fmt: skip
    assert entry == {**sent, **own}
    shown = await person(client).get(answer.headers["location"])
    assert shown.json() == entry
    assert shown.headers["etag"] == '"1"'


async def test_a_quantity_is_shown_with_two_decimals_however_it_was_sent(client: Api) -> None:
    [entry] = await made(client, quantity="7.5")
    assert entry["quantity"] == "7.50"


async def test_an_array_is_made_whole_or_not_at_all_and_names_each_bad_index(client: Api) -> None:
    bad = [body(), body(quantity="0"), body(), {**body(), "role": None}]
    assert pointers(await person(client).post(ENTRIES, json=bad)) == ["/1/quantity", "/3/role"]
    assert await count(client) == 0


BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"class": "fee"}, "/class"),
    ({"class": None}, "/class"),
    ({"role": None}, "/role"),
    ({"project": ""}, "/project"),
    ({"project": "p" * 65}, "/project"),
    ({"task": "nul\x00"}, "/task"),
    ({"resource": None}, "/resource"),
    ({"role": 7}, "/role"),
    ({"date": "2026-02-30"}, "/date"),
    ({"date": "27.02.2026"}, "/date"),
    ({"date": "2026-02-27T00:00:00Z"}, "/date"),
    ({"date": 1}, "/date"),
    ({"quantity": 8.5}, "/quantity"),
    ({"quantity": "8.001"}, "/quantity"),
    ({"quantity": "24.01"}, "/quantity"),
    ({"quantity": "-1"}, "/quantity"),
    ({"quantity": "NaN"}, "/quantity"),
    ({"quantity": "1e1"}, "/quantity"),
    ({"unit": "day"}, "/unit"),
    ({"description": "d" * 2001}, "/description"),
    ({"external_id": "x" * 256}, "/external_id"),
    ({"status": "approved"}, "/status"),
    ({"entry_class": "time"}, "/entry_class"),
    ({"unit_cost": "1.00"}, "/unit_cost"),
]


async def test_each_bad_field_is_named(client: Api) -> None:
    for fields, pointer in BAD_FIELDS:
        assert (fields, pointers(await person(client).post(ENTRIES, json=body(**fields)))) == (fields, [pointer])
    assert await count(client) == 0


async def test_another_class_is_refused_with_what_is_allowed(client: Api) -> None:
    answer = await person(client).post(ENTRIES, json=body(**{"class": "fee"}))
    assert problem(answer, 422, "validation")["errors"][0]["allowed"] == ["time", "expense", "material"]


async def test_an_array_has_one_to_a_thousand_entries(client: Api) -> None:
    for bodies in ([], [body()] * 1001, "text", None):
        assert (await person(client).post(ENTRIES, json=bodies)).status_code == 422
    assert await count(client) == 0


async def test_the_limits_themselves_are_allowed(client: Api) -> None:
    wide = "😀" * 64
    await made(client, 1000, quantity="24", project=wide, description="x" * 100)
    [one] = await submitted(client, project=wide, external_id="x" * 255, quantity="0.01")
    assert (await pm(client).post(f"{ENTRIES}/{one}/approve", headers=ANY)).status_code == 200
    assert [sent.key for sent in await outbox_of(client.runtime)] == [wide]


async def test_a_body_over_the_limit_is_413(client: Api) -> None:
    text = "x" * (client.runtime.settings.limits.body_bytes_max + 1)
    problem(await person(client).post(ENTRIES, content=text), 413, "too-large")


async def test_an_external_id_is_unique(client: Api) -> None:
    first, second = body(external_id="te-1"), body(external_id="te-2")
    await person(client).post(ENTRIES, json=first)
    problem(await person(client).post(ENTRIES, json=first), 409, "conflict")
    assert pointers(await person(client).post(ENTRIES, json=[second, first])) == ["/1/external_id"]
    assert pointers(await person(client).post(ENTRIES, json=[second, second])) == ["/1/external_id"]
    assert await count(client) == 1
    other = (await person(client).post(ENTRIES, json=second)).json()
    answer = await person(client).patch(f"{ENTRIES}/{other['id']}", json={"external_id": "te-1"}, headers=ANY)
    problem(answer, 409, "conflict")


async def test_the_same_key_makes_the_same_entry_once(client: Api) -> None:
    key = {"Idempotency-Key": "once"}
    first = await person(client).post(ENTRIES, json=body(), headers=key)
    again = await person(client).post(ENTRIES, json=body(), headers=key)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["etag"] == '"1"'
    problem(await person(client).post(ENTRIES, json=body(task="x"), headers=key), 422, "idempotency-key-reused")
    assert await count(client) == 1


async def test_a_key_whose_answer_has_expired_still_makes_nothing_twice(client: Api) -> None:
    key = {"Idempotency-Key": "once"}
    await person(client).post(ENTRIES, json=[body(), body()], headers=key)
    async with client.runtime.database.transaction() as session:
        await fetch_value(session, "delete from idempotency_keys returning 1")
    problem(await person(client).post(ENTRIES, json=[body(), body()], headers=key), 409, "conflict")
    assert await count(client) == 2


class TestList:
    async def test_filters_narrow_and_add_up(self, client: Api) -> None:
        await made(client, 2, project="P-1", date="2026-02-01")
        await made(client, 1, project="P-2", date="2026-02-02", external_id="te-1")
        await submitted(client, 3, sub="bob", project="P-1", resource="bob", date="2026-02-03")
        expected = {
            "": 6, "project=P-1": 5, "project=P-2": 1, "resource=bob": 3, "status=draft": 3, "status=submitted": 3,
            "class=time": 6, "date_from=2026-02-02": 4, "date_to=2026-02-02": 3, "external_id=te-1": 1,
            "date_from=2026-02-02&date_to=2026-02-02": 1, "project=P-1&status=draft": 2, "project=P-3": 0,
        }  # fmt: skip
        for query, number in expected.items():
            page = (await pm(client).get(f"{ENTRIES}?{query}")).json()
            assert (query, len(page["items"])) == (query, number)

    async def test_pages_follow_one_another_without_a_gap(self, client: Api) -> None:
        ids = [entry["id"] for entry in await made(client, 7)]
        seen: list[str] = []
        after = ""
        while True:
            page = (await pm(client).get(f"{ENTRIES}?limit=3{after}")).json()
            assert len(page["items"]) <= 3
            seen += [entry["id"] for entry in page["items"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert seen == sorted(ids)

    async def test_a_bad_query_is_named(self, client: Api) -> None:
        for query, pointer in (
            ("limit=0", "/query/limit"),
            ("limit=1001", "/query/limit"),
            ("limit=x", "/query/limit"),
            ("after=x", "/query/after"),
            ("status=open", "/query/status"),
            ("class=fee", "/query/class"),
            ("date_from=1", "/query/date_from"),
            ("projct=P-1", "/query/projct"),
            ("project=%00", "/query/project"),
        ):
            assert (query, pointers(await pm(client).get(f"{ENTRIES}?{query}"))) == (query, [pointer])

    async def test_a_submitter_sees_own_entries_only(self, client: Api) -> None:
        [mine] = await made(client, resource="ada")
        [for_bob] = await made(client, resource="bob")
        [given] = await submitted(client, sub="ada", resource="bob")
        [foreign] = await made(client, sub="bob", resource="bob")
        seen = (await person(client).get(ENTRIES)).json()["items"]
        assert {entry["id"] for entry in seen} == {mine["id"], for_bob["id"], given}
        problem(await person(client).get(f"{ENTRIES}/{foreign['id']}"), 404, "not-found")
        problem(await person(client).get(f"{ENTRIES}/{foreign['id']}/history"), 404, "not-found")
        for role in ("approver", "biller", "manager", "service", "admin"):
            assert len((await client.as_(role).get(ENTRIES)).json()["items"]) == 4

    async def test_who_submitted_an_entry_owns_it_and_who_only_made_it_does_not(self, client: Api) -> None:
        [entry] = await made(client, sub="ada", resource="bob")
        await person(client, "bob").post(f"{ENTRIES}/{entry['id']}/submit", headers=ANY)
        assert (await person(client, "ada").get(ENTRIES)).json()["items"] == []
        assert len((await person(client, "bob").get(ENTRIES)).json()["items"]) == 1


CALLS = [
    ("POST", "", {"submitter", "admin"}),
    ("PATCH", "/{id}", {"submitter", "admin"}),
    ("DELETE", "/{id}", {"submitter", "admin"}),
    ("POST", "/submit", {"submitter", "admin"}),
    ("POST", "/recall", {"submitter", "admin"}),
    ("POST", "/{id}/submit", {"submitter", "admin"}),
    ("POST", "/{id}/recall", {"submitter", "admin"}),
    ("POST", "/approve", {"approver", "admin"}),
    ("POST", "/reject", {"approver", "admin"}),
    ("POST", "/{id}/approve", {"approver", "admin"}),
    ("POST", "/{id}/reject", {"approver", "admin"}),
    ("POST", "/cancel-approval", {"approver", "admin"}),
    ("POST", "/{id}/cancel-approval", {"approver", "admin"}),
    ("POST", "/import", {"submitter", "approver", "service", "admin"}),
]


async def test_each_call_needs_its_role(client: Api) -> None:
    for method, path, roles in CALLS:
        url = ENTRIES + path.replace("{id}", "00000000-0000-7000-8000-000000000000")
        for role in ("submitter", "approver", "biller", "manager", "service", "admin"):
            status = (await client.as_(role).request(method, url, json=None)).status_code
            assert (method, path, role, status == 403) == (method, path, role, role not in roles)
        assert (await client.with_token(None).request(method, url)).status_code == 401


async def test_what_is_approved_is_what_the_contract_says(client: Api) -> None:
    ids = await submitted(client, 2, external_id=None, description="in", external_description="out")
    await pm(client).post(f"{ENTRIES}/approve", json={"ids": ids})
    [sent] = await outbox_of(client.runtime)
    event = EntriesApproved.model_validate(sent.body)
    shown = {entry["id"]: entry for entry in (await pm(client).get(ENTRIES)).json()["items"]}
    for entry in event.entries:
        told = entry.model_dump(mode="json")
        same = set(told) & set(shown[told["id"]])
        assert {name: told[name] for name in same} == {name: shown[told["id"]][name] for name in same}
        assert (told["approved_by"], told["approved_at"]) == ("pm", "2026-03-02T09:00:00Z")
