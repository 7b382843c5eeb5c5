"""Every verb in every state over HTTP, alone and in bulk: what the table says, and nothing else."""

from typing import Any

import httpx
import pytest

from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.events import outbox_of
from tests.time_expense.approvals.transitions import REFUSED, SAME, TABLE, WAYS, brought
from tests.time_expense.work import ANY, ENTRIES, person, pm, problem
from time_expense.entries.rules import allowed

SENT: dict[str, dict[str, Any]] = {"edit": {"task": "x"}, "reject": {"reason": "r"}, "cancel-approval": {"reason": "r"}}
TOLD = {"approve": "approved", "cancel-approval": "cancellation-requested"}
BULK = [verb for verb in TABLE if verb not in ("edit", "delete")]
DONE = {"cancel-approval": 202, "delete": 204}


@pytest.fixture
async def client(api: MakeApi) -> Api:
    return await api("time-expense")


def who(client: Api, verb: str) -> httpx.AsyncClient:
    return pm(client) if verb in ("approve", "reject", "cancel-approval") else person(client)


async def call(client: Api, verb: str, entry_id: str) -> httpx.Response:
    path = f"{ENTRIES}/{entry_id}"
    method, url = {"edit": ("PATCH", path), "delete": ("DELETE", path)}.get(verb, ("POST", f"{path}/{verb}"))
    given: dict[str, Any] = {"json": SENT[verb]} if verb in SENT else {}
    return await who(client, verb).request(method, url, headers=ANY, **given)


async def state_of(client: Api, entry_id: str) -> str:
    answer = await pm(client).get(f"{ENTRIES}/{entry_id}")
    return "gone" if answer.status_code == 404 else str(answer.json()["status"])


async def history_of(client: Api, entry_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await pm(client).get(f"{ENTRIES}/{entry_id}/history")).json()["items"]
    return found


async def told_since(client: Api, before: int) -> list[str]:
    return [sent.type.split(".")[-2] for sent in (await outbox_of(client.runtime))[before:]]


@pytest.mark.parametrize("way", WAYS)
async def test_a_verb_alone(client: Api, way: str) -> None:
    status = WAYS[way]
    for verb, row in TABLE.items():
        entry_id = await brought(client, way)
        before, said = await history_of(client, entry_id), len(await outbox_of(client.runtime))
        answer = await call(client, verb, entry_id)
        if row[status] in (SAME, REFUSED):
            found = problem(answer, 409, "conflict")
            assert (found["state"], found["reason"], found["allowed"]) == (status, "wrong_state", allowed(status))
            assert (await state_of(client, entry_id), await history_of(client, entry_id)) == (status, before)
            assert await told_since(client, said) == []
        else:
            assert (verb, answer.status_code) == (verb, DONE.get(verb, 200))
            assert (verb, await state_of(client, entry_id)) == (verb, row[status])
            assert len(await history_of(client, entry_id)) == len(before) + 1
            assert await told_since(client, said) == ([TOLD[verb]] if verb in TOLD else [])


@pytest.mark.parametrize("verb", BULK)
async def test_a_verb_in_bulk(client: Api, verb: str) -> None:
    ids = {way: await brought(client, way) for way in WAYS}
    before, said = (
        {way: await history_of(client, one) for way, one in ids.items()},
        len(await outbox_of(client.runtime)),
    )
    answer = await who(client, verb).post(f"{ENTRIES}/{verb}", json={"ids": list(ids.values()), **SENT.get(verb, {})})
    result = answer.json()
    row = {way: TABLE[verb][status] for way, status in WAYS.items()}
    moved = [way for way, target in row.items() if target not in (SAME, REFUSED)]
    assert answer.status_code == 200
    assert (result["changed"], result["unchanged"]) == (len(moved), list(row.values()).count(SAME))
    assert {(one["id"], one["reason"]) for one in result["refused"]} == {
        (ids[way], "wrong_state") for way, target in row.items() if target == REFUSED
    }
    for way, entry_id in ids.items():
        assert (way, await state_of(client, entry_id)) == (way, row[way] if way in moved else WAYS[way])
        assert len(await history_of(client, entry_id)) == len(before[way]) + (way in moved)
    assert await told_since(client, said) == ([TOLD[verb]] if verb in TOLD else [])
