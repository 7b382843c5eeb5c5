"""What holds when many move at once: sums, one effect, few statements, events of a size that can be sent."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proforma.context import Context, Principal
from proforma.db import driver, fetch
from proforma.events.time_expense import EntriesApproved
from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.events import outbox_of
from tests.support.statements import written_down
from tests.time_expense.work import ANY, ENTRIES, body, made, person, pm, submitted
from time_expense.approvals import service
from time_expense.approvals.service import Action

MANAGER = Principal("pm", frozenset({"approver"}))


@pytest.fixture
async def client(api: MakeApi) -> Api:
    return await api("time-expense")


def as_manager(client: Api) -> Context:
    base = client.runtime.context("pm")
    return Context(actor="pm", clock=base.clock, ids=base.ids, limits=base.limits, principal=MANAGER)


async def told(client: Api) -> Counter[str]:
    """How often each entry was told as approved."""
    return Counter(entry["id"] for event in await outbox_of(client.runtime) for entry in event.body["entries"])


@pytest.mark.parametrize("key", [None, "once"])
async def test_the_same_approval_twice_at_once_has_one_effect(client: Api, key: str | None) -> None:
    for _ in range(5):
        [entry_id] = await submitted(client)
        headers = {**ANY, **({"Idempotency-Key": key + entry_id} if key else {})}
        answers = await asyncio.gather(
            *(pm(client).post(f"{ENTRIES}/{entry_id}/approve", headers=headers) for _ in range(2))
        )
        assert sorted(one.status_code for one in answers) == ([200, 200] if key else [200, 409])
        assert (await told(client))[entry_id] == 1
        entry = (await pm(client).get(f"{ENTRIES}/{entry_id}")).json()
        assert (entry["revision"], entry["version"]) == (1, 3)


@pytest.mark.parametrize("key", [None, "once"])
async def test_the_same_bulk_approval_twice_at_once_has_one_effect(client: Api, key: str | None) -> None:
    ids = await submitted(client, 40)
    headers = {"Idempotency-Key": key} if key else {}
    forwards, backwards = ids, ids if key else ids[::-1]
    answers = await asyncio.gather(
        *(pm(client).post(f"{ENTRIES}/approve", json={"ids": some}, headers=headers) for some in (forwards, backwards))
    )
    results = [one.json() for one in answers]
    assert [one["refused"] for one in results] == [[], []]
    changed = [one["changed"] for one in results]
    assert changed == [40, 40] if key else sum(changed) == 40
    assert await told(client) == Counter(ids)


async def test_one_of_approve_reject_and_recall_at_once_wins(client: Api) -> None:
    for _ in range(5):
        [entry_id] = await submitted(client)
        path = f"{ENTRIES}/{entry_id}"
        answers = await asyncio.gather(
            pm(client).post(f"{path}/approve", headers=ANY),
            pm(client).post(f"{path}/reject", headers=ANY, json={"reason": "x"}),
            person(client).post(f"{path}/recall", headers=ANY),
        )
        assert sorted(one.status_code for one in answers) == [200, 409, 409]
        [won] = [one.json() for one in answers if one.status_code == 200]
        assert (await pm(client).get(path)).json() == won
        assert (await told(client))[entry_id] == (won["status"] == "approved")


async def test_a_thousand_are_approved_in_a_handful_of_statements(client: Api) -> None:
    ids = [UUID(one) for one in await submitted(client, 1000)]
    statements: list[str] = []
    async with client.runtime.database.transaction() as session:
        connection = await driver(session)
        with written_down(connection, statements):
            done = await service.move_many(session, as_manager(client), Action("approve"), ids)
    assert (done.changed, done.unchanged, done.refused) == (1000, 0, [])
    assert len(statements) <= 5, statements


async def test_events_hold_one_project_and_five_hundred_entries_at_most(client: Api) -> None:
    for project, number in (("P-1", 700), ("P-2", 1), ("P-3", 299)):
        await submitted(client, number, project=project)
    answer = await pm(client).post(f"{ENTRIES}/approve", json={"filter": {}})
    assert answer.json()["changed"] == 1000
    sizes = []
    for event in await outbox_of(client.runtime):
        entries = EntriesApproved.model_validate(event.body).entries
        assert {entry.project for entry in entries} == {event.key}
        sizes.append((event.key, len(entries)))
    assert sizes == [("P-1", 500), ("P-1", 200), ("P-2", 1), ("P-3", 299)]


async def test_events_stay_small_whatever_the_texts(client: Api) -> None:
    text = "😀" * 2000
    ids: list[str] = []
    for _ in range(2):
        ids += await submitted(client, 100, description=text, external_description=text)
    await pm(client).post(f"{ENTRIES}/approve", json={"ids": ids})
    async with client.runtime.database.transaction() as session:
        rows = await fetch(session, "select octet_length(body) as bytes from outbox")
    assert max(row["bytes"] for row in rows) < client.runtime.settings.limits.chunk_bytes_max + 1000
    assert await told(client) == Counter(ids)


async def test_an_approval_that_fails_leaves_nothing_behind(client: Api) -> None:
    ids = [UUID(one) for one in await submitted(client, 3)]

    async def fail() -> None:
        async with client.runtime.database.transaction() as session:
            await service.move_many(session, as_manager(client), Action("approve"), ids)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await outbox_of(client.runtime) == []
    statuses = {entry["status"] for entry in (await pm(client).get(ENTRIES)).json()["items"]}
    assert statuses == {"submitted"}


# What may be done to a fresh draft before the bulk call meets it.
fates = st.lists(st.sampled_from(["draft", "submitted", "approved", "rejected", "own"]), min_size=1, max_size=12)


async def with_fates(client: Api, project: str, wanted: list[str]) -> list[str]:
    """Entries of one project in these states; `own` is submitted work of the manager's."""
    bodies = [body(project=project, resource="pm" if fate == "own" else "ada") for fate in wanted]
    entries = (await person(client).post(ENTRIES, json=bodies)).json()["items"]
    ids = [entry["id"] for entry in entries]
    await person(client).post(f"{ENTRIES}/submit", json={"ids": ids})
    for verb, fate, sent in (("approve", "approved", {}), ("reject", "rejected", {"reason": "x"})):
        some = [one for one, of in zip(ids, wanted, strict=True) if of == fate]
        if some:
            await pm(client).post(f"{ENTRIES}/{verb}", json={"ids": some, **sent})
    drafts = [one for one, of in zip(ids, wanted, strict=True) if of == "draft"]
    if drafts:
        await person(client).post(f"{ENTRIES}/recall", json={"ids": drafts})
    return ids


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=fates, strangers=st.integers(0, 3), by_filter=st.booleans(), verb=st.sampled_from(["approve", "reject"]))
async def test_a_bulk_result_adds_up(
    client: Api, wanted: list[str], strangers: int, by_filter: bool, verb: str
) -> None:
    project = f"P-{uuid4()}"
    ids = await with_fates(client, project, wanted)
    before = len(await outbox_of(client.runtime))
    unknown = [] if by_filter else [str(uuid4()) for _ in range(strangers)]
    chosen: dict[str, Any] = {"filter": {"project": project}} if by_filter else {"ids": [*ids, *unknown, *ids]}
    chosen |= {"reason": "x"} if verb == "reject" else {}
    result = (await pm(client).post(f"{ENTRIES}/{verb}", json=chosen)).json()
    reasons = Counter(one["reason"] for one in result["refused"])
    target = {"approve": "approved", "reject": "rejected"}[verb]
    assert result["changed"] + result["unchanged"] + len(result["refused"]) == len(ids) + len(unknown)
    assert result["changed"] == wanted.count("submitted") + (wanted.count("own") if verb == "reject" else 0)
    assert result["unchanged"] == wanted.count(target)
    assert reasons["self_approval"] == (wanted.count("own") if verb == "approve" else 0)
    assert reasons["not_found"] == len(unknown)
    events = (await outbox_of(client.runtime))[before:]
    assert sum(len(event.body["entries"]) for event in events) == (result["changed"] if verb == "approve" else 0)


async def test_a_bulk_call_writes_the_history_of_what_it_changed_and_of_nothing_else(client: Api) -> None:
    [draft] = await made(client)
    [waiting] = await submitted(client)
    await pm(client).post(f"{ENTRIES}/reject", json={"ids": [draft["id"], waiting], "reason": "late"})
    kept = (await pm(client).get(f"{ENTRIES}/{waiting}/history")).json()["items"]
    assert (kept[-1]["action"], kept[-1]["by"], kept[-1]["reason"], kept[-1]["version"]) == (
        "rejected",
        "pm",
        "late",
        3,
    )
    assert len((await pm(client).get(f"{ENTRIES}/{draft['id']}/history")).json()["items"]) == 1
