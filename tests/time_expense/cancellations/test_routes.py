"""cancel-approval over HTTP: who may ask, what is asked, and what an entry shows while it waits and after."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from proforma.events.time_expense import CancellationsRequested
from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.events import outbox_of
from tests.time_expense.approvals.transitions import answer, brought, questions
from tests.time_expense.work import ANY, ENTRIES, body, expense, material, person, pm, pointers, problem, submitted

WHY = {"reason": "two hours too many"}


@pytest.fixture
async def client(api: MakeApi) -> Api:
    return await api("time-expense")


async def approved(client: Api, count: int = 1, **fields: Any) -> list[str]:
    ids = await submitted(client, count, **fields)
    assert (await pm(client).post(f"{ENTRIES}/approve", json={"ids": ids})).json()["changed"] == count
    return ids


async def test_an_entry_waits_until_it_is_answered(client: Api) -> None:
    [entry_id] = await submitted(client)
    path = f"{ENTRIES}/{entry_id}"
    terms = {"billable_quantity": "6.00", "billing_type": "chargeable"}
    before = (await pm(client).post(f"{path}/approve", json=terms, headers=ANY)).json()
    answer = await pm(client).post(f"{path}/cancel-approval", json=WHY, headers={"If-Match": '"3"'})
    assert (answer.status_code, answer.headers["etag"]) == (202, '"4"')
    assert answer.json() == {**before, "status": "cancellation_requested", "version": 4}
    assert (await pm(client).get(path)).json() == answer.json()
    listed = (await pm(client).get(f"{ENTRIES}?status=cancellation_requested")).json()["items"]
    assert listed == [answer.json()]
    last = (await pm(client).get(f"{path}/history")).json()["items"][-1]
    assert {name: last[name] for name in ("action", "status", "by", "at", "reason", "version")} == {
        "action": "cancellation_requested", "status": "cancellation_requested", "by": "pm",
        "at": "2026-03-02T09:00:00Z", "reason": WHY["reason"], "version": 4,
    }  # fmt: skip


async def test_the_question_says_who_asks_what_and_why(client: Api) -> None:
    [entry_id] = await approved(client)
    await pm(client).post(f"{ENTRIES}/{entry_id}/cancel-approval", json=WHY, headers=ANY)
    sent = (await outbox_of(client.runtime))[-1]
    assert (sent.type, sent.key) == ("proforma.time-expense.entries.cancellation-requested.v1", "P-1")
    [asked] = CancellationsRequested.model_validate(sent.body).entries
    assert asked.model_dump(mode="json", exclude={"request_id"}) == {
        "id": entry_id, "revision": 1, "project": "P-1", "by": "pm", "at": "2026-03-02T09:00:00Z", **WHY,
    }  # fmt: skip
    assert asked.request_id.version == 7


async def test_each_question_has_an_id_of_its_own(client: Api) -> None:
    first, second = await approved(client, 2)
    await pm(client).post(f"{ENTRIES}/cancel-approval", json={"ids": [first, second], **WHY})
    await answer(client, first, "refused", reason="on_invoice", invoice_id=str(uuid4()))
    await pm(client).post(f"{ENTRIES}/{first}/cancel-approval", json=WHY, headers=ANY)
    asked = [question["request_id"] for one in (first, second) for question in await questions(client, one)]
    assert len(asked) == len(set(asked)) == 3


@pytest.mark.parametrize("reason", ["on_invoice", "posted"])
async def test_a_refusal_leaves_the_approval_and_says_why(client: Api, reason: str) -> None:
    [entry_id] = await approved(client)
    path = f"{ENTRIES}/{entry_id}"
    before = (await pm(client).get(path)).json()
    await pm(client).post(f"{path}/cancel-approval", json=WHY, headers=ANY)
    invoice = str(uuid4())
    await answer(client, entry_id, "refused", reason=reason, invoice_id=invoice)
    said = {"outcome": "refused", "reason": reason, "invoice_id": invoice}
    shown = (await pm(client).get(path)).json()
    assert shown == {**before, "version": 5, "cancellation": said}
    last = (await pm(client).get(f"{path}/history")).json()["items"][-1]
    assert {name: last[name] for name in ("action", "status", "by", "reason", "changes")} == {
        "action": "refused", "status": "approved", "by": "billing-backlog", "reason": reason,
        "changes": {"invoice_id": {"before": None, "after": invoice}},
    }  # fmt: skip
    again = await pm(client).post(f"{path}/cancel-approval", json=WHY, headers=ANY)
    assert again.json()["cancellation"] is None


async def test_a_reversal_makes_it_submitted_and_the_next_approval_is_a_new_revision(client: Api) -> None:
    [entry_id] = await submitted(client)
    path = f"{ENTRIES}/{entry_id}"
    terms = {"billable_quantity": "6.00", "billing_type": "chargeable"}
    before = (await pm(client).post(f"{path}/approve", json=terms, headers=ANY)).json()
    await pm(client).post(f"{path}/cancel-approval", json=WHY, headers=ANY)
    await answer(client, entry_id, "reversed")
    reversal = {"outcome": "reversed", "reason": None, "invoice_id": None}
    decided = dict.fromkeys(("decided_by", "decided_at", "billable_quantity", "billing_type"))
    shown = (await pm(client).get(path)).json()
    assert shown == {**before, **decided, "status": "submitted", "version": 5, "cancellation": reversal}
    last = (await pm(client).get(f"{path}/history")).json()["items"][-1]
    assert (last["action"], last["status"], last["by"]) == ("reversed", "submitted", "billing-backlog")
    assert last["changes"] == {
        "billable_quantity": {"before": "6.00", "after": None}, "billing_type": {"before": "chargeable", "after": None},
    }  # fmt: skip
    again = (await pm(client).post(f"{path}/approve", headers=ANY)).json()
    assert (again["status"], again["revision"], again["cancellation"]) == ("approved", 2, None)
    told = [entry["revision"] for sent in await outbox_of(client.runtime) for entry in sent.body["entries"]]
    assert told == [1, 1, 2]


async def test_every_class_can_be_asked_about_in_bulk(client: Api) -> None:
    bodies = [body(), expense(), material(product="X")]
    ids = [one["id"] for one in (await person(client).post(ENTRIES, json=bodies)).json()["items"]]
    await person(client).post(f"{ENTRIES}/submit", json={"ids": ids})
    await pm(client).post(f"{ENTRIES}/approve", json={"ids": ids})
    answer = await pm(client).post(f"{ENTRIES}/cancel-approval", json={"filter": {"status": "approved"}, **WHY})
    assert (answer.status_code, answer.json()) == (200, {"changed": 3, "unchanged": 0, "refused": []})
    assert [len(await questions(client, one)) for one in ids] == [1, 1, 1]


async def test_questions_hold_one_project_and_five_hundred_entries_at_most(client: Api) -> None:
    for project, number in (("P-1", 600), ("P-2", 1)):
        await approved(client, number, project=project)
    before = len(await outbox_of(client.runtime))
    answer = await pm(client).post(f"{ENTRIES}/cancel-approval", json={"filter": {}, **WHY})
    assert answer.json()["changed"] == 601
    sizes = []
    for sent in (await outbox_of(client.runtime))[before:]:
        entries = CancellationsRequested.model_validate(sent.body).entries
        assert {entry.project for entry in entries} == {sent.key}
        sizes.append((sent.key, len(entries)))
    assert sizes == [("P-1", 500), ("P-1", 100), ("P-2", 1)]


async def test_a_long_reason_is_cut_by_bytes(client: Api) -> None:
    ids = await approved(client, 100)
    await pm(client).post(f"{ENTRIES}/cancel-approval", json={"ids": ids, "reason": "😀" * 2000})
    limit = client.runtime.settings.limits.chunk_bytes_max + 1000
    asked = [sent for sent in await outbox_of(client.runtime) if "cancellation" in sent.type]
    assert len(asked) > 1
    assert all(len(CancellationsRequested.model_validate(one.body).model_dump_json().encode()) < limit for one in asked)
    assert sum(len(one.body["entries"]) for one in asked) == 100


class TestRefused:
    async def test_bad_bodies(self, client: Api) -> None:
        [entry_id] = await approved(client)
        bad: list[tuple[Any, str]] = [
            ({}, "/reason"),
            ({"reason": ""}, "/reason"),
            ({"reason": None}, "/reason"),
            ({"reason": "x" * 2001}, "/reason"),
            ({"reason": "nul\x00"}, "/reason"),
            ({**WHY, "billable_quantity": "1"}, "/billable_quantity"),
            (None, ""),
        ]
        for sent, pointer in bad:
            answer = await pm(client).post(f"{ENTRIES}/{entry_id}/cancel-approval", json=sent, headers=ANY)
            assert (sent, pointers(answer)) == (sent, [pointer])
        for many, pointer in (
            ({"ids": [entry_id]}, "/reason"),
            (WHY, ""),
            ({**WHY, "ids": []}, "/ids"),
            ({**WHY, "ids": [str(UUID(int=7))] * 1001}, "/ids"),
            ({**WHY, "items": [{"id": entry_id}]}, "/items"),
            ({**WHY, "filter": {"status": "canceled"}}, "/filter/status"),
        ):
            answer = await pm(client).post(f"{ENTRIES}/cancel-approval", json=many)
            assert (many, pointers(answer)) == (many, [pointer])
        assert await questions(client, entry_id) == []

    async def test_preconditions(self, client: Api) -> None:
        [entry_id] = await approved(client)
        path = f"{ENTRIES}/{entry_id}/cancel-approval"
        problem(await pm(client).post(path, json=WHY), 428, "precondition-required")
        problem(await pm(client).post(path, json=WHY, headers={"If-Match": '"2"'}), 412, "stale")
        unknown = f"{ENTRIES}/{UUID(int=7)}/cancel-approval"
        problem(await pm(client).post(unknown, json=WHY, headers=ANY), 404, "not-found")
        assert await questions(client, entry_id) == []

    async def test_a_token_s_projects_narrow_its_approver(self, client: Api) -> None:
        [inside] = await approved(client, project="P-1")
        [outside] = await approved(client, project="P-2")
        narrow = pm(client, projects=["P-1"])
        problem(await narrow.post(f"{ENTRIES}/{outside}/cancel-approval", json=WHY, headers=ANY), 403, "forbidden")
        problem(await narrow.post(f"{ENTRIES}/cancel-approval", json={"filter": {"project": "P-2"}, **WHY}), 403,
                "forbidden")  # fmt: skip
        both = (await narrow.post(f"{ENTRIES}/cancel-approval", json={"ids": [inside, outside], **WHY})).json()
        assert (both["changed"], [one["reason"] for one in both["refused"]]) == (1, ["forbidden"])
        everything = await narrow.post(f"{ENTRIES}/cancel-approval", json={"filter": {}, **WHY})
        assert everything.json() == {"changed": 0, "unchanged": 1, "refused": []}
        assert await questions(client, outside) == []

    async def test_an_own_approval_may_be_asked_back(self, client: Api) -> None:
        """Nobody approves own work; to take an approval of it back harms nobody."""
        [entry_id] = await approved(client, resource="ada")
        answer = await client.as_("approver", sub="ada").post(
            f"{ENTRIES}/{entry_id}/cancel-approval", json=WHY, headers=ANY
        )
        assert answer.status_code == 202


async def test_the_same_key_asks_once(client: Api) -> None:
    [entry_id] = await approved(client)
    headers = {"Idempotency-Key": "once", "If-Match": '"3"'}
    answers = [
        await pm(client).post(f"{ENTRIES}/{entry_id}/cancel-approval", json=WHY, headers=headers) for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert len(await questions(client, entry_id)) == 1


async def test_what_may_follow_a_reversal(client: Api) -> None:
    """Recalled, edited, submitted and approved again, or rejected, or deleted: the answer stays to be seen."""
    entry_id = await brought(client, "reversed")
    path = f"{ENTRIES}/{entry_id}"
    for who, method, verb, sent in (
        (person(client), "POST", "/recall", None),
        (person(client), "PATCH", "", {"quantity": "6"}),
        (person(client), "POST", "/submit", None),
        (pm(client), "POST", "/reject", {"reason": "no"}),
        (person(client), "POST", "/submit", None),
    ):
        answer = (await who.request(method, path + verb, json=sent, headers=ANY)).json()
        assert (verb, answer["cancellation"]["outcome"], answer["revision"]) == (verb, "reversed", 1)
    last = (await pm(client).post(f"{path}/approve", headers=ANY)).json()
    assert (last["revision"], last["quantity"], last["cancellation"]) == (2, "6.00", None)
    gone = await brought(client, "reversed")
    await person(client).post(f"{ENTRIES}/{gone}/recall", headers=ANY)
    assert (await person(client).delete(f"{ENTRIES}/{gone}", headers=ANY)).status_code == 204
