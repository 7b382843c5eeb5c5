"""The verbs over HTTP, for one entry and for many."""

from typing import Any
from uuid import UUID

import pytest

from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.events import outbox_of
from tests.time_expense.work import ANY, ENTRIES, made, person, pm, pointers, problem, submitted

NOBODY = str(UUID(int=7))


@pytest.fixture
async def client(api: MakeApi) -> Api:
    return await api("time-expense")


async def status_of(client: Api, entry_id: str) -> str:
    found: str = (await pm(client).get(f"{ENTRIES}/{entry_id}")).json()["status"]
    return found


async def test_the_way_of_an_entry_that_is_rejected_once(client: Api) -> None:
    [entry] = await made(client)
    path = f"{ENTRIES}/{entry['id']}"
    steps: list[tuple[Any, str, dict[str, Any] | None, str]] = [
        (person(client), "submit", None, "submitted"),
        (person(client), "recall", None, "draft"),
        (person(client), "submit", None, "submitted"),
        (pm(client), "reject", {"reason": "wrong project"}, "rejected"),
        (person(client), "submit", None, "submitted"),
        (pm(client), "approve", {"billable_quantity": "6", "billing_type": "chargeable"}, "approved"),
    ]
    for version, (who, verb, sent, status) in enumerate(steps, start=1):
        answer = await who.post(f"{path}/{verb}", json=sent, headers={"If-Match": f'"{version}"'})
        assert (answer.status_code, answer.json()["status"]) == (200, status), answer.text
        assert answer.headers["etag"] == f'"{version + 1}"'
        assert answer.json() == (await pm(client).get(path)).json()
    last = answer.json()
    assert (last["revision"], last["decided_by"], last["reason"]) == (1, "pm", None)
    assert (last["billable_quantity"], last["billing_type"]) == ("6.00", "chargeable")
    history = (await pm(client).get(f"{path}/history")).json()["items"]
    assert [(row["action"], row["by"], row["reason"]) for row in history] == [
        ("created", "ada", None),
        ("submitted", "ada", None),
        ("recalled", "ada", None),
        ("submitted", "ada", None),
        ("rejected", "pm", "wrong project"),
        ("submitted", "ada", None),
        ("approved", "pm", None),
    ]
    assert history[-1]["changes"] == {
        "billable_quantity": {"before": None, "after": "6.00"},
        "billing_type": {"before": None, "after": "chargeable"},
    }


async def test_what_each_state_shows(client: Api) -> None:
    [entry_id] = await submitted(client)
    path = f"{ENTRIES}/{entry_id}"
    assert (await pm(client).get(path)).json()["submitted_by"] == "ada"
    rejected = (await pm(client).post(f"{path}/reject", json={"reason": "why"}, headers=ANY)).json()
    assert (rejected["reason"], rejected["decided_by"], rejected["decided_at"]) == ("why", "pm", rejected["updated_at"])
    again = (await person(client).post(f"{path}/submit", headers=ANY)).json()
    assert (again["reason"], again["decided_by"], again["decided_at"]) == (None, None, None)
    recalled = (await person(client).post(f"{path}/recall", headers=ANY)).json()
    assert (recalled["submitted_by"], recalled["submitted_at"]) == (None, None)


async def test_an_approval_is_told_once_with_what_it_set(client: Api) -> None:
    first, second = await submitted(client, 2)
    await pm(client).post(f"{ENTRIES}/{first}/approve", headers=ANY)
    sent = {"billable_quantity": "0", "billing_type": "non_chargeable"}
    await pm(client).post(f"{ENTRIES}/{second}/approve", json=sent, headers=ANY)
    await pm(client).post(f"{ENTRIES}/approve", json={"ids": [first, second]})
    told = [
        (entry["id"], entry["revision"], entry["billable_quantity"], entry["billing_type"])
        for event in await outbox_of(client.runtime)
        for entry in event.body["entries"]
    ]
    assert told == [(first, 1, "8.00", None), (second, 1, "0.00", "non_chargeable")]


async def test_submit_recall_and_reject_tell_nobody(client: Api) -> None:
    first, second = await submitted(client, 2)
    await person(client).post(f"{ENTRIES}/{first}/recall", headers=ANY)
    await pm(client).post(f"{ENTRIES}/{second}/reject", json={"reason": "why"}, headers=ANY)
    assert await outbox_of(client.runtime) == []


class TestOneRefused:
    async def test_a_wrong_state_is_named_with_what_is_allowed(self, client: Api) -> None:
        [draft] = await made(client)
        [waiting] = await submitted(client)
        for who, entry_id, verb, state in (
            (pm(client), draft["id"], "approve", "draft"),
            (pm(client), draft["id"], "reject", "draft"),
            (person(client), draft["id"], "recall", "draft"),
            (person(client), waiting, "submit", "submitted"),
        ):
            answer = await who.post(f"{ENTRIES}/{entry_id}/{verb}", json={"reason": "x"} if verb == "reject" else None,
                                    headers=ANY)  # fmt: skip
            found = problem(answer, 409, "conflict")
            assert (found["state"], found["reason"]) == (state, "wrong_state")
            assert verb not in found["allowed"]
            assert await status_of(client, entry_id) == state

    async def test_stale_missing_and_unknown(self, client: Api) -> None:
        [entry_id] = await submitted(client)
        for verb, who in (("approve", pm(client)), ("reject", pm(client)), ("recall", person(client))):
            sent = {"reason": "x"} if verb == "reject" else None
            path = f"{ENTRIES}/{entry_id}/{verb}"
            problem(await who.post(path, json=sent), 428, "precondition-required")
            problem(await who.post(path, json=sent, headers={"If-Match": '"1"'}), 412, "stale")
            problem(await who.post(f"{ENTRIES}/{NOBODY}/{verb}", json=sent, headers=ANY), 404, "not-found")
            assert pointers(await who.post(f"{ENTRIES}/x/{verb}", json=sent, headers=ANY)) == ["/path/entry_id"]
        assert await status_of(client, entry_id) == "submitted"

    async def test_nobody_approves_an_own_entry_not_even_an_admin(self, client: Api) -> None:
        [as_resource] = await submitted(client, sub="bob", resource="ada")
        [as_submitter] = await submitted(client, sub="ada", resource="bob")
        for entry_id in (as_resource, as_submitter):
            for roles in (("approver",), ("admin",)):
                answer = await client.as_(*roles, sub="ada").post(f"{ENTRIES}/{entry_id}/approve", headers=ANY)
                assert problem(answer, 403, "forbidden")["reason"] == "self_approval"
        answer = await client.as_("approver", sub="ada").post(
            f"{ENTRIES}/approve", json={"ids": [as_resource, as_submitter]}
        )
        assert [one["reason"] for one in answer.json()["refused"]] == ["self_approval"] * 2
        assert await outbox_of(client.runtime) == []

    async def test_a_token_s_projects_narrow_its_approver(self, client: Api) -> None:
        [inside] = await submitted(client, project="P-1")
        [outside] = await submitted(client, project="P-2")
        narrow = pm(client, projects=["P-1"])
        for verb, sent in (("approve", {}), ("reject", {"reason": "x"})):
            problem(await narrow.post(f"{ENTRIES}/{outside}/{verb}", json=sent, headers=ANY), 403, "forbidden")
        both = await narrow.post(f"{ENTRIES}/approve", json={"ids": [inside, outside]})
        assert (both.json()["changed"], [one["reason"] for one in both.json()["refused"]]) == (1, ["forbidden"])
        assert await status_of(client, outside) == "submitted"
        everything = await narrow.post(f"{ENTRIES}/reject", json={"filter": {"status": "submitted"}, "reason": "x"})
        assert everything.json() == {"changed": 0, "unchanged": 0, "refused": []}
        answer = await narrow.post(f"{ENTRIES}/approve", json={"filter": {"project": "P-2"}})
        problem(answer, 403, "forbidden")

    async def test_a_submitter_moves_own_entries_only(self, client: Api) -> None:
        [foreign] = await made(client, sub="bob", resource="bob")
        problem(await person(client).post(f"{ENTRIES}/{foreign['id']}/submit", headers=ANY), 404, "not-found")
        reader = client.as_("submitter", "manager", sub="ada")
        problem(await reader.post(f"{ENTRIES}/{foreign['id']}/submit", headers=ANY), 403, "forbidden")
        many = await person(client).post(f"{ENTRIES}/submit", json={"ids": [foreign["id"]]})
        assert [one["reason"] for one in many.json()["refused"]] == ["not_found"]
        everything = await reader.post(f"{ENTRIES}/submit", json={"filter": {}})
        assert everything.json() == {"changed": 0, "unchanged": 0, "refused": []}

    async def test_what_the_body_may_say(self, client: Api) -> None:
        [entry_id] = await submitted(client)
        bad: list[tuple[str, Any, str]] = [
            ("approve", {"billable_quantity": "-1"}, "/billable_quantity"),
            ("approve", {"billable_quantity": "1.001"}, "/billable_quantity"),
            ("approve", {"billable_quantity": "1000000.01"}, "/billable_quantity"),
            ("approve", {"billable_quantity": 6}, "/billable_quantity"),
            ("approve", {"billing_type": "free"}, "/billing_type"),
            ("approve", {"reason": "x"}, "/reason"),
            ("reject", {}, "/reason"),
            ("reject", {"reason": ""}, "/reason"),
            ("reject", {"reason": "x" * 2001}, "/reason"),
        ]
        for verb, sent, pointer in bad:
            answer = await pm(client).post(f"{ENTRIES}/{entry_id}/{verb}", json=sent, headers=ANY)
            assert (sent, pointers(answer)) == (sent, [pointer])
        assert await status_of(client, entry_id) == "submitted"


async def test_more_than_the_quantity_may_be_billable(client: Api) -> None:
    [entry_id] = await submitted(client)
    answer = await pm(client).post(f"{ENTRIES}/{entry_id}/approve", json={"billable_quantity": "1000000"}, headers=ANY)
    assert answer.json()["billable_quantity"] == "1000000.00"


class TestMany:
    async def test_each_of_ids_is_changed_unchanged_or_refused(self, client: Api) -> None:
        [draft] = await made(client)
        approved, waiting = await submitted(client, 2)
        await pm(client).post(f"{ENTRIES}/{approved}/approve", headers=ANY)
        ids = [draft["id"], approved, waiting, waiting, NOBODY]
        answer = await pm(client).post(f"{ENTRIES}/approve", json={"ids": ids})
        assert answer.status_code == 200
        assert (answer.json()["changed"], answer.json()["unchanged"]) == (1, 1)
        assert [(one["id"], one["reason"]) for one in answer.json()["refused"]] == [
            (draft["id"], "wrong_state"),
            (NOBODY, "not_found"),
        ]
        assert await status_of(client, waiting) == "approved"

    async def test_a_filter_takes_what_it_finds(self, client: Api) -> None:
        await submitted(client, 2, project="P-1", date="2026-02-01")
        await submitted(client, 3, project="P-2", date="2026-02-02")
        await made(client, 1, project="P-2", date="2026-02-03")
        wanted = {"project": "P-2", "date_from": "2026-02-02", "date_to": "2026-02-03"}
        answer = (await pm(client).post(f"{ENTRIES}/approve", json={"filter": wanted})).json()
        assert (answer["changed"], answer["unchanged"], len(answer["refused"])) == (3, 0, 1)
        again = (await pm(client).post(f"{ENTRIES}/approve", json={"filter": {"class": "time"}})).json()
        assert (again["changed"], again["unchanged"], len(again["refused"])) == (2, 3, 1)

    async def test_items_say_for_each_what_the_call_says_for_all(self, client: Api) -> None:
        plain, own, typed = await submitted(client, 3)
        sent = {
            "items": [
                {"id": plain},
                {"id": own, "billable_quantity": "0", "billing_type": "complimentary"},
                {"id": typed, "billing_type": "non_chargeable"},
            ],
            "billable_quantity": "5",
            "billing_type": "chargeable",
        }
        assert (await pm(client).post(f"{ENTRIES}/approve", json=sent)).json()["changed"] == 3
        [event] = await outbox_of(client.runtime)
        told = {entry["id"]: (entry["billable_quantity"], entry["billing_type"]) for entry in event.body["entries"]}
        assert told == {
            plain: ("5.00", "chargeable"),
            own: ("0.00", "complimentary"),
            typed: ("5.00", "non_chargeable"),
        }

    async def test_a_repeat_that_says_something_else_is_refused(self, client: Api) -> None:
        [entry_id] = await submitted(client)
        await pm(client).post(f"{ENTRIES}/{entry_id}/approve", headers=ANY)
        answer = await pm(client).post(
            f"{ENTRIES}/approve", json={"items": [{"id": entry_id, "billable_quantity": "6"}]}
        )
        assert [one["reason"] for one in answer.json()["refused"]] == ["wrong_state"]

    async def test_bad_selections(self, client: Api) -> None:
        [entry_id] = await submitted(client)
        bad: list[tuple[Any, str]] = [
            ({}, ""),
            ({"ids": None}, ""),
            ({"ids": [entry_id], "filter": {}}, ""),
            ({"ids": [entry_id], "items": [{"id": entry_id}]}, ""),
            ({"ids": []}, "/ids"),
            ({"ids": [NOBODY] * 1001}, "/ids"),
            ({"ids": ["x"]}, "/ids/0"),
            ({"filter": {"projct": "P-1"}}, "/filter/projct"),
            ({"filter": {"class": "fee"}}, "/filter/class"),
            ({"filter": {"date_from": 5}}, "/filter/date_from"),
            ({"items": [{"id": entry_id}, {"id": entry_id}]}, ""),
            ({"items": [{"id": entry_id, "billable_quantity": "x"}]}, "/items/0/billable_quantity"),
            ({"ids": [entry_id], "billing_type": "free"}, "/billing_type"),
            ([entry_id], ""),
        ]
        for sent, pointer in bad:
            answer = await pm(client).post(f"{ENTRIES}/approve", json=sent)
            assert (sent, pointers(answer)) == (sent, [pointer])
        assert pointers(await pm(client).post(f"{ENTRIES}/reject", json={"ids": [entry_id]})) == ["/reason"]
        assert pointers(await person(client).post(f"{ENTRIES}/submit", json={"items": [{"id": entry_id}]})) == [
            "/items"
        ]
        assert await status_of(client, entry_id) == "submitted"

    async def test_the_same_key_answers_the_same(self, client: Api) -> None:
        ids = await submitted(client, 3)
        key = {"Idempotency-Key": "once"}
        first = await pm(client).post(f"{ENTRIES}/approve", json={"ids": ids}, headers=key)
        again = await pm(client).post(f"{ENTRIES}/approve", json={"ids": ids}, headers=key)
        assert first.json() == again.json() == {"changed": 3, "unchanged": 0, "refused": []}
        other = await pm(client).post(f"{ENTRIES}/approve", json={"ids": ids[:1]}, headers=key)
        problem(other, 422, "idempotency-key-reused")


async def test_a_single_approval_repeated_with_its_key_is_answered_before_its_version_is_looked_at(client: Api) -> None:
    [entry_id] = await submitted(client)
    headers = {"Idempotency-Key": "once", "If-Match": '"2"'}
    first = await pm(client).post(f"{ENTRIES}/{entry_id}/approve", headers=headers)
    again = await pm(client).post(f"{ENTRIES}/{entry_id}/approve", headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert again.headers["etag"] == '"3"'
