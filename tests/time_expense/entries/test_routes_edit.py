"""Edit, delete and history of entries over HTTP."""

from typing import Any

import pytest

from tests.conftest import MakeApi
from tests.support.api import Api
from tests.time_expense.work import ANY, ENTRIES, made, person, pm, pointers, problem, submitted


@pytest.fixture
async def client(api: MakeApi) -> Api:
    return await api("time-expense")


class TestEdit:
    async def test_what_is_sent_changes_and_the_rest_stays(self, client: Api) -> None:
        [entry] = await made(client, description="old")
        path = f"{ENTRIES}/{entry['id']}"
        sent = {"quantity": "6", "description": None, "task": "build"}
        answer = await person(client).patch(path, json=sent, headers={"If-Match": '"1"'})
        assert answer.headers["etag"] == '"2"'
        assert answer.json() == {**entry, "quantity": "6.00", "description": None, "task": "build", "version": 2}
        assert (await person(client).get(path)).json() == answer.json()
        last = (await person(client).get(f"{path}/history")).json()["items"][-1]
        assert (last["action"], last["by"], last["version"]) == ("edited", "ada", 2)
        assert last["changes"] == {
            "quantity": {"before": "8.00", "after": "6.00"},
            "description": {"before": "old", "after": None},
            "task": {"before": "design", "after": "build"},
        }

    async def test_what_changes_nothing_makes_no_version(self, client: Api) -> None:
        [entry] = await made(client)
        for sent in ({}, {"quantity": "8"}, {"task": "design", "description": None}):
            answer = await person(client).patch(f"{ENTRIES}/{entry['id']}", json=sent, headers=ANY)
            assert answer.json() == entry

    async def test_a_bad_field_is_named(self, client: Api) -> None:
        [entry] = await made(client)
        bad: list[tuple[dict[str, Any], str]] = [
            ({"project": None}, "/project"),
            ({"role": None}, "/role"),
            ({"quantity": "24.5"}, "/quantity"),
            ({"date": None}, "/date"),
            ({"class": "time"}, "/class"),
            ({"status": "approved"}, "/status"),
        ]
        for sent, pointer in bad:
            answer = await person(client).patch(f"{ENTRIES}/{entry['id']}", json=sent, headers=ANY)
            assert (sent, pointers(answer)) == (sent, [pointer])

    async def test_preconditions(self, client: Api) -> None:
        [entry] = await made(client)
        path = f"{ENTRIES}/{entry['id']}"
        for call in ("patch", "delete"):
            given: dict[str, Any] = {"json": {"task": "x"}} if call == "patch" else {}
            problem(await person(client).request(call, path, **given), 428, "precondition-required")
            stale = await person(client).request(call, path, headers={"If-Match": '"2"'}, **given)
            assert problem(stale, 412, "stale")["version"] == 1
            assert pointers(await person(client).request(call, path, headers={"If-Match": "x"}, **given)) == [
                "/headers/If-Match"
            ]

    @pytest.mark.parametrize("status", ["submitted", "approved"])
    async def test_what_is_handed_over_is_not_edited_or_deleted(self, client: Api, status: str) -> None:
        [entry_id] = await submitted(client)
        if status == "approved":
            await pm(client).post(f"{ENTRIES}/{entry_id}/approve", headers=ANY)
        path = f"{ENTRIES}/{entry_id}"
        for answer in (
            await person(client).patch(path, json={"task": "x"}, headers=ANY),
            await person(client).delete(path, headers=ANY),
        ):
            found = problem(answer, 409, "conflict")
            assert (found["state"], found["reason"]) == (status, "wrong_state")
            assert found["allowed"] == (
                ["recall", "approve", "reject"] if status == "submitted" else ["cancel-approval"]
            )

    async def test_a_rejected_entry_is_edited_and_stays_rejected(self, client: Api) -> None:
        [entry_id] = await submitted(client)
        await pm(client).post(f"{ENTRIES}/{entry_id}/reject", json={"reason": "why"}, headers=ANY)
        answer = await person(client).patch(f"{ENTRIES}/{entry_id}", json={"task": "x"}, headers=ANY)
        assert (answer.json()["status"], answer.json()["task"]) == ("rejected", "x")

    async def test_nobody_edits_what_is_another_s(self, client: Api) -> None:
        [entry] = await made(client, sub="bob", resource="bob")
        path = f"{ENTRIES}/{entry['id']}"
        problem(await person(client).patch(path, json={"task": "x"}, headers=ANY), 404, "not-found")
        both = client.as_("submitter", "biller", sub="ada")
        problem(await both.patch(path, json={"task": "x"}, headers=ANY), 403, "forbidden")
        problem(await both.delete(path, headers=ANY), 403, "forbidden")
        assert (await client.as_("admin").patch(path, json={"task": "x"}, headers=ANY)).status_code == 200

    async def test_nobody_gives_an_entry_away(self, client: Api) -> None:
        [entry] = await made(client, sub="bob", resource="ada")
        path = f"{ENTRIES}/{entry['id']}"
        problem(await person(client).patch(path, json={"resource": "eve"}, headers=ANY), 403, "forbidden")
        assert (await person(client).get(path)).json()["resource"] == "ada"


async def test_a_deleted_entry_is_gone_and_its_history_stays(client: Api) -> None:
    [entry] = await made(client)
    path = f"{ENTRIES}/{entry['id']}"
    assert (await person(client).delete(path, headers={"If-Match": '"1"'})).status_code == 204
    problem(await person(client).get(path), 404, "not-found")
    problem(await person(client).delete(path, headers=ANY), 404, "not-found")
    actions = [row["action"] for row in (await pm(client).get(f"{path}/history")).json()["items"]]
    assert actions == ["created", "deleted"]
    problem(await pm(client).get(f"{ENTRIES}/00000000-0000-7000-8000-000000000000/history"), 404, "not-found")


async def test_a_history_has_pages(client: Api) -> None:
    [entry] = await made(client)
    path = f"{ENTRIES}/{entry['id']}"
    for task in ("a", "b", "c"):
        await person(client).patch(path, json={"task": task}, headers=ANY)
    first = (await pm(client).get(f"{path}/history?limit=3")).json()
    second = (await pm(client).get(f"{path}/history?limit=3&after={first['next']}")).json()
    assert [row["version"] for row in first["items"] + second["items"]] == [1, 2, 3, 4]
    assert second["next"] is None
