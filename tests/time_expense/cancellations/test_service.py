"""Questions and answers that cross, repeat, come late or come for somebody else: nothing breaks or is undone."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest

from proforma.db import driver, fetch
from proforma.events.billing_backlog import CancellationsAnswered
from proforma.events.time_expense import CancellationsRequested
from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.events import deliver, outbox_of
from tests.support.rows import locks_awaited
from tests.support.statements import written_down
from tests.time_expense.approvals.transitions import WAYS, answer, answered, brought, questions
from tests.time_expense.imports.files import csv_of, entries_of, imported
from tests.time_expense.work import ANY, ENTRIES, person, pm, submitted
from time_expense.cancellations import service
from time_expense.worker import HANDLERS

WHY = {"reason": "x"}


@pytest.fixture
async def client(api: MakeApi) -> Api:
    return await api("time-expense")


async def seen(client: Api, entry_id: str) -> dict[str, Any]:
    """The entry, with the actions of its history."""
    path = f"{ENTRIES}/{entry_id}"
    entry: dict[str, Any] = (await pm(client).get(path)).json()
    history = (await pm(client).get(f"{path}/history")).json()["items"]
    return {**entry, "actions": [row["action"] for row in history]}


async def asked_again(client: Api, entry_id: str) -> None:
    sent = await pm(client).post(f"{ENTRIES}/{entry_id}/cancel-approval", json=WHY, headers=ANY)
    assert sent.status_code == 202


async def unmoved(client: Api, entry_id: str, *answers: CancellationsAnswered) -> None:
    """These answers, alone and together, leave the entry as it is."""
    before = await seen(client, entry_id)
    for one in answers:
        await deliver(client.runtime, HANDLERS, one)
    await deliver(client.runtime, HANDLERS, *answers)
    assert await seen(client, entry_id) == before


async def test_reversed_twice_is_reversed_once(client: Api) -> None:
    entry_id = await brought(client, "reversed")
    [question] = await questions(client, entry_id)
    await unmoved(client, entry_id, answered(question, "reversed"))


async def test_a_late_refusal_of_the_first_question_does_not_end_the_second(client: Api) -> None:
    entry_id = await brought(client, "refused")
    await asked_again(client, entry_id)
    first, second = await questions(client, entry_id)
    await unmoved(client, entry_id, answered(first, "refused", reason="on_invoice"))
    assert (await seen(client, entry_id))["status"] == "cancellation_requested"
    await deliver(client.runtime, HANDLERS, answered(second, "refused", reason="posted"))
    after = await seen(client, entry_id)
    assert (after["status"], after["cancellation"]["reason"]) == ("approved", "posted")


async def test_a_late_reversal_of_the_first_question_ends_the_second(client: Api) -> None:
    """Asked twice over the wire, the first was refused and then reversed: the ledger has no row of it any more."""
    entry_id = await brought(client, "refused")
    await asked_again(client, entry_id)
    first, second = await questions(client, entry_id)
    await deliver(client.runtime, HANDLERS, answered(first, "reversed"))
    after = await seen(client, entry_id)
    assert (after["status"], after["cancellation"]["outcome"]) == ("submitted", "reversed")
    await unmoved(client, entry_id, answered(second, "refused", reason="on_invoice"), answered(second, "reversed"))


async def test_a_reversal_holds_after_a_refusal(client: Api) -> None:
    entry_id = await brought(client, "refused")
    [question] = await questions(client, entry_id)
    await deliver(client.runtime, HANDLERS, answered(question, "reversed"))
    after = await seen(client, entry_id)
    assert (after["status"], after["actions"][-2:]) == ("submitted", ["refused", "reversed"])


@pytest.mark.parametrize("then", ["recall", "reject", "approve", "delete"])
async def test_what_comes_after_the_reversal_and_what_was_done_since_stay(client: Api, then: str) -> None:
    entry_id = await brought(client, "reversed")
    path = f"{ENTRIES}/{entry_id}"
    who = person(client) if then in ("recall", "delete") else pm(client)
    verb = "recall" if then == "delete" else then
    assert (await who.post(f"{path}/{verb}", json=WHY if then == "reject" else None, headers=ANY)).status_code == 200
    if then == "delete":
        await person(client).delete(path, headers=ANY)
    [question] = await questions(client, entry_id)
    late = [answered(question, "reversed"), answered(question, "refused", reason="posted")]
    if then == "delete":
        await deliver(client.runtime, HANDLERS, *late)
        assert (await pm(client).get(path)).status_code == 404
    else:
        await unmoved(client, entry_id, *late)


async def test_an_old_reversal_does_not_touch_the_next_approval_or_its_question(client: Api) -> None:
    entry_id = await brought(client, "reversed")
    await pm(client).post(f"{ENTRIES}/{entry_id}/approve", headers=ANY)
    [old] = await questions(client, entry_id)
    await unmoved(client, entry_id, answered(old, "reversed"))
    await asked_again(client, entry_id)
    await unmoved(client, entry_id, answered(old, "reversed"))
    await answer(client, entry_id, "reversed")
    after = await seen(client, entry_id)
    assert (after["status"], after["revision"]) == ("submitted", 2)


@pytest.mark.parametrize("way", WAYS)
async def test_answers_to_nobody_s_question_change_nothing(client: Api, way: str) -> None:
    entry_id = await brought(client, way)
    revision = (await seen(client, entry_id))["revision"]
    stray = {"id": entry_id, "revision": revision + 1, "request_id": str(uuid4()), "project": "P-1"}
    unknown = {**stray, "id": str(uuid4())}
    answers = [answered(one, outcome) for one in (stray, unknown) for outcome in ("reversed", "refused")]
    await unmoved(client, entry_id, *answers, answered({**stray, "revision": revision}, "refused"))


async def test_a_batch_takes_each_entry_as_far_as_its_answers_go(client: Api) -> None:
    """Refused and reversed in one batch are two versions; an answer that is none of ours harms no other."""
    both, refused, waiting = [await brought(client, "cancellation_requested") for _ in range(3)]
    [of_both], [of_refused] = await questions(client, both), await questions(client, refused)
    stranger = {**of_both, "id": str(uuid4())}
    entries = [
        {"id": one["id"], "revision": 1, "request_id": one["request_id"], "outcome": outcome}
        for one, outcome in (
            (stranger, "reversed"), (of_both, "refused"), (of_refused, "refused"), (of_both, "reversed"),
        )
    ]  # fmt: skip
    whole = CancellationsAnswered.model_validate({"project": "P-1", "entries": entries})
    await deliver(client.runtime, HANDLERS, whole, answered(of_refused, "refused"))
    assert [(await seen(client, one))["status"] for one in (both, refused, waiting)] == [
        "submitted", "approved", "cancellation_requested",
    ]  # fmt: skip
    shown = await seen(client, both)
    assert (shown["version"], shown["actions"][-3:]) == (6, ["cancellation_requested", "refused", "reversed"])
    assert shown["cancellation"]["outcome"] == "reversed"


async def test_cancel_and_cancel_at_once_ask_once(client: Api) -> None:
    for _ in range(5):
        [entry_id] = await submitted(client)
        await pm(client).post(f"{ENTRIES}/{entry_id}/approve", headers=ANY)
        answers = await asyncio.gather(
            *(pm(client).post(f"{ENTRIES}/{entry_id}/cancel-approval", json=WHY, headers=ANY) for _ in range(2))
        )
        assert sorted(one.status_code for one in answers) == [202, 409]
        assert len(await questions(client, entry_id)) == 1


async def test_many_at_once_from_both_ends_ask_once_each(client: Api) -> None:
    ids = await submitted(client, 40)
    await pm(client).post(f"{ENTRIES}/approve", json={"ids": ids})
    answers = await asyncio.gather(
        *(pm(client).post(f"{ENTRIES}/cancel-approval", json={"ids": some, **WHY}) for some in (ids, ids[::-1]))
    )
    assert [one.json()["refused"] for one in answers] == [[], []]
    assert sum(one.json()["changed"] for one in answers) == 40
    asked = [sent for sent in await outbox_of(client.runtime) if "cancellation" in sent.type]
    assert Counter(entry["id"] for sent in asked for entry in sent.body["entries"]) == Counter(ids)


async def test_an_answer_waits_for_who_holds_the_entry_and_looks_again(client: Api) -> None:
    """The question is answered by another worker while this one waits: read before the lock, it would count twice."""
    entry_id = await brought(client, "cancellation_requested")
    [question] = await questions(client, entry_id)
    reversal = answered(question, "reversed").entries
    async with client.runtime.database.transaction() as session:
        await service.answered(session, client.runtime.context(), reversal)

        async def second() -> None:
            async with client.runtime.database.transaction() as other:
                await service.answered(other, client.runtime.context(), reversal)

        waiting = asyncio.create_task(second())
        await locks_awaited(client.runtime)
    await waiting
    assert (await seen(client, entry_id))["actions"].count("reversed") == 1


async def test_what_is_answered_while_it_is_asked_again_is_not_asked(client: Api) -> None:
    entry_id = await brought(client, "cancellation_requested")
    [question] = await questions(client, entry_id)
    async with client.runtime.database.transaction() as session:
        await service.answered(session, client.runtime.context(), answered(question, "refused").entries)
        again = asyncio.create_task(client.as_("admin").post(f"/v1/waiting/{entry_id}/ask"))
        await locks_awaited(client.runtime)
    assert (await again).status_code == 404
    assert await questions(client, entry_id) == [question]


async def test_an_import_meets_every_state(client: Api) -> None:
    """A waiting entry is not changed; a reversed one that was recalled is, and its next approval is a new revision."""
    ids = {
        way: await brought(client, way, external_id=way) for way in ("cancellation_requested", "refused", "reversed")
    }
    await person(client).post(f"{ENTRIES}/{ids['reversed']}/recall", headers=ANY)
    rows = [{"external_id": way, "quantity": "6.00", "role": "consultant"} for way in ids]
    job = await imported(client, csv_of(*rows), "approved")
    assert job["result"] == {"created": 0, "updated": 1, "unchanged": 0}
    entries = await entries_of(client)
    assert {way: (entries[way]["status"], entries[way]["quantity"]) for way in ids} == {
        "cancellation_requested": ("cancellation_requested", "8.00"),
        "refused": ("approved", "8.00"),
        "reversed": ("approved", "6.00"),
    }
    assert (entries["reversed"]["revision"], entries["reversed"]["cancellation"]) == (2, None)


async def test_a_thousand_questions_and_their_answers_take_a_handful_of_statements(client: Api) -> None:
    ids = await submitted(client, 1000)
    await pm(client).post(f"{ENTRIES}/approve", json={"ids": ids})
    statements: list[str] = []
    async with client.runtime.database.transaction() as session:
        connection = await driver(session)
        await fetch(session, "select 1 from entries order by id for update")
        with written_down(connection, statements):
            await service.ask(session, client.runtime.context("pm"), [UUID(one) for one in ids], "x")
    assert len(statements) <= 3, statements
    asked = [sent.body for sent in await outbox_of(client.runtime) if "cancellation" in sent.type]
    answers = [
        one for body in asked for entry in CancellationsRequested.model_validate(body).entries
        for one in answered(entry.model_dump(mode="json"), "reversed").entries
    ]  # fmt: skip
    statements.clear()
    async with client.runtime.database.transaction() as session:
        connection = await driver(session)
        with written_down(connection, statements):
            await service.answered(session, client.runtime.context(), answers)
    assert len(statements) <= 3, statements
    listed = (await pm(client).get(f"{ENTRIES}?limit=1000")).json()["items"]
    assert {entry["status"] for entry in listed} == {"submitted"}
