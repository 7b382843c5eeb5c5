"""Answers off the topic: through Kafka and the worker, as dead letters, and questions that wait and are asked again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from proforma.clock import SetClock
from proforma.worker import Worker
from tests.conftest import MakeApi, MakeTopics
from tests.support.api import Api
from tests.support.events import DeadLettered, deliver, outbox_of, record_of
from tests.support.kafka import Broker
from tests.support.waits import eventually, running
from tests.time_expense.approvals.transitions import answer, answered, brought, questions
from tests.time_expense.work import ENTRIES, pm
from time_expense.worker import HANDLERS, build_work


@pytest.fixture
async def client(api: MakeApi) -> Api:
    return await api("time-expense")


async def waits(client: Api) -> list[dict[str, Any]]:
    items = (await client.as_("admin").get("/v1/waiting")).json()["items"]
    return [item for item in items if item["kind"] == "cancellation"]


async def status_of(client: Api, entry_id: str) -> str:
    found: str = (await pm(client).get(f"{ENTRIES}/{entry_id}")).json()["status"]
    return found


def test_the_service_reads_the_ledger_s_answers() -> None:
    assert HANDLERS.topics == ["billing-backlog.answers"]


async def test_the_worker_takes_an_answer_off_the_topic(client: Api, make_topics: MakeTopics, broker: Broker) -> None:
    await make_topics("time-expense.entries", "billing-backlog.answers")
    entry_id = await brought(client, "cancellation_requested")
    [question] = await questions(client, entry_id)
    twice = record_of(answered(question, "reversed"))
    await broker.send(twice, twice)

    async def reversed_() -> bool:
        return await status_of(client, entry_id) == "submitted"

    async with running(Worker(client.runtime, build_work(client.runtime))):
        await eventually(reversed_)


async def test_a_question_waits_with_its_age_until_it_is_answered(client: Api, clock: SetClock) -> None:
    first = await brought(client, "cancellation_requested")
    clock.advance(timedelta(minutes=5))
    second = await brought(client, "cancellation_requested")
    shown = await waits(client)
    assert [(one["id"], one["since"]) for one in shown] == [
        (first, "2026-03-02T09:00:00Z"),
        (second, "2026-03-02T09:05:00Z"),
    ]
    assert "project P-1, revision 1" in shown[0]["detail"]
    await answer(client, first, "refused")
    await answer(client, second, "reversed")
    assert await waits(client) == []


async def test_it_is_asked_again_under_the_same_id_and_changes_nothing(client: Api, clock: SetClock) -> None:
    entry_id = await brought(client, "cancellation_requested")
    before = (await pm(client).get(f"{ENTRIES}/{entry_id}")).json()
    clock.advance(timedelta(hours=1))
    assert (await client.as_("admin").post(f"/v1/waiting/{entry_id}/ask")).status_code == 204
    first, again = await questions(client, entry_id)
    assert again == first
    assert (await outbox_of(client.runtime))[-1].key == "P-1"
    assert (await pm(client).get(f"{ENTRIES}/{entry_id}")).json() == before
    assert [one["since"] for one in await waits(client)] == ["2026-03-02T09:00:00Z"]
    await deliver(client.runtime, HANDLERS, answered(again, "reversed"), answered(first, "reversed"))
    assert await status_of(client, entry_id) == "submitted"
    assert (await client.as_("admin").post(f"/v1/waiting/{entry_id}/ask")).status_code == 404
    assert (await pm(client).post(f"/v1/waiting/{entry_id}/ask")).status_code == 403


async def test_a_dropped_answer_leaves_the_entry_waiting_to_be_asked_again(client: Api) -> None:
    entry_id = await brought(client, "cancellation_requested")
    [question] = await questions(client, entry_id)
    good = record_of(answered(question, "reversed"))
    poisoned = replace(good, value=good.value and good.value.replace(b"reversed", b"perhaps"))
    with pytest.raises(DeadLettered):
        await deliver(client.runtime, HANDLERS, poisoned)
    admin = client.as_("admin")
    [letter] = (await admin.get("/v1/dead-letters")).json()["items"]
    path = f"/v1/dead-letters/{letter['id']}"
    assert (await admin.post(f"{path}/replay")).status_code == 409
    assert (await admin.post(f"{path}/drop", json={"reason": "nonsense"})).status_code == 200
    assert await status_of(client, entry_id) == "cancellation_requested"
    assert len(await waits(client)) == 1
    assert (await admin.post(f"/v1/waiting/{entry_id}/ask")).status_code == 204
    await answer(client, entry_id, "refused", reason="posted", invoice_id=str(uuid4()))
    assert await status_of(client, entry_id) == "approved"


async def test_a_repaired_answer_is_taken_when_it_is_replayed(client: Api) -> None:
    entry_id = await brought(client, "cancellation_requested")
    [question] = await questions(client, entry_id)
    good = record_of(answered(question, "reversed"))
    with pytest.raises(DeadLettered):
        await deliver(client.runtime, HANDLERS, replace(good, value=b"{}"))
    admin = client.as_("admin")
    [letter] = (await admin.get("/v1/dead-letters")).json()["items"]
    repaired = {"body": (good.value or b"").decode()}
    assert (await admin.post(f"/v1/dead-letters/{letter['id']}/replay", json=repaired)).status_code == 200
    assert await status_of(client, entry_id) == "submitted"
    [*_, last] = (await pm(client).get(f"{ENTRIES}/{entry_id}/history")).json()["items"]
    assert (last["action"], last["by"]) == ("reversed", "billing-backlog")
