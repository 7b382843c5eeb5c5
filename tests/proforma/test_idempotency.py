"""Idempotency keys: one effect for one key, and the first answer again."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response

from proforma import idempotency
from proforma.auth import role
from proforma.clock import SetClock
from proforma.db import execute, fetch_value
from proforma.errors import Conflict
from proforma.http import Ctx, Tx, create_app, router
from proforma.runtime import Runtime
from tests.conftest import MakeApi, MakeRuntime
from tests.support.api import serving
from tests.support.rows import change, locks_awaited, rows, value
from tests.support.tokens import Tokens

EFFECTS = "select count(*) from effects"
KEYS = "select count(*) from idempotency_keys"


async def post(client: httpx.AsyncClient, key: str | None = "k", body: Any = None, query: str = "") -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post(f"/v1/effects{query}", json=body or {"value": "x"}, headers=headers)


async def test_the_second_call_gets_the_first_answer(api: MakeApi) -> None:
    client = await api("probe")
    first, second = await post(client.as_("biller")), await post(client.as_("biller"))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    for name in ("ETag", "Location", "Content-Type"):
        assert first.headers[name] == second.headers[name]
    assert await value(client.runtime, EFFECTS) == 1
    assert await value(client.runtime, "select count(*) from outbox") == 1


async def test_without_a_key_every_call_is_its_own(api: MakeApi) -> None:
    client = await api("probe")
    await post(client.as_("biller"), None)
    await post(client.as_("biller"), None)
    assert await value(client.runtime, EFFECTS) == 2


async def test_keys_belong_to_one_caller_and_one_address(api: MakeApi) -> None:
    client = await api("probe")
    await post(client.as_("biller", sub="ada"))
    await post(client.as_("biller", sub="bob"))
    assert await value(client.runtime, EFFECTS) == 2
    answer = await client.as_("admin", sub="ada").post("/v1/waiting/nothing/ask", headers={"Idempotency-Key": "k"})
    assert answer.status_code == 404


async def test_another_request_under_the_same_key_is_refused(api: MakeApi) -> None:
    client = await api("probe")
    await post(client.as_("biller"))
    for other in (
        await post(client.as_("biller"), body={"value": "y"}),
        await post(client.as_("biller"), query="?preview=true"),
    ):
        assert (other.status_code, other.json()["type"]) == (422, "urn:proforma:problem:idempotency-key-reused")
    assert await value(client.runtime, EFFECTS) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "\xa0"])
async def test_a_key_that_cannot_be_one_is_refused(api: MakeApi, key: str) -> None:
    client = await api("probe")
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    answer = await client.as_("biller").post("/v1/effects", json={"value": "x"}, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/headers/Idempotency-Key"
    assert await value(client.runtime, EFFECTS) == 0


async def test_the_longest_key_is_taken(api: MakeApi) -> None:
    client = await api("probe")
    assert (await post(client.as_("biller"), "x" * 255)).status_code == 201
    assert (await post(client.as_("biller"), "x" * 255)).headers["Idempotency-Replayed"] == "true"


class Slow:
    """An app whose route waits in the middle, so that calls meet."""

    def __init__(self, runtime: Runtime) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.fails = False
        self.app = self._app(runtime)

    def _app(self, runtime: Runtime) -> FastAPI:
        routes = router("/v1/effects", "effects")

        @routes.post("", status_code=201, dependencies=[role("biller")])
        async def create(session: Tx, context: Ctx, response: Response, answer: int = 201) -> dict[str, str]:
            await execute(session, "insert into effects values ($1, 'k', 'v')", context.ids())
            self.begun.set()
            await self.go_on.wait()
            if self.fails:
                raise Conflict("not now")
            response.status_code = answer
            return {"done": "yes"}

        return create_app(runtime, [routes], "slow", "Waits in the middle.")


async def test_of_two_at_once_the_second_waits_for_the_firsts_answer(make_runtime: MakeRuntime, tokens: Tokens) -> None:
    runtime = await make_runtime("probe")
    slow = Slow(runtime)
    async with serving(slow.app, runtime, tokens) as client:
        first = asyncio.create_task(post(client.as_("biller")))
        await slow.begun.wait()
        second = asyncio.create_task(post(client.as_("biller")))
        await locks_awaited(runtime)
        assert not second.done()
        slow.go_on.set()
        assert (await first).content == (await second).content
        assert (await second).headers["Idempotency-Replayed"] == "true"
    assert await value(runtime, EFFECTS) == 1


async def test_ten_at_once_have_one_effect(api: MakeApi) -> None:
    client = await api("probe")
    answers = await asyncio.gather(*(post(client.as_("biller")) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await value(client.runtime, EFFECTS) == 1


async def test_whoever_waits_too_long_is_told_that_the_first_is_still_running(
    make_runtime: MakeRuntime, tokens: Tokens
) -> None:
    runtime = await make_runtime("probe", limits={"idempotency_wait_s": 1}, lock_timeout_s=60)
    slow = Slow(runtime)
    async with serving(slow.app, runtime, tokens) as client:
        first = asyncio.create_task(post(client.as_("biller")))
        await slow.begun.wait()
        async with asyncio.timeout(15):
            second = await post(client.as_("biller"))
        assert (second.status_code, second.json()["type"]) == (409, "urn:proforma:problem:conflict")
        assert "still running" in second.json()["detail"]
        slow.go_on.set()
        assert (await first).status_code == 201
    assert await value(runtime, EFFECTS) == 1


async def test_the_wait_for_the_key_is_not_the_wait_for_other_locks(make_runtime: MakeRuntime, tokens: Tokens) -> None:
    runtime = await make_runtime("probe", limits={"idempotency_wait_s": 1}, lock_timeout_s=7)
    routes = router("/v1/effects", "effects")

    @routes.post("", dependencies=[role("biller")])
    async def look(session: Tx) -> dict[str, str]:
        return {"lock_timeout": await fetch_value(session, "show lock_timeout")}

    async with serving(create_app(runtime, [routes], "look", "Looks."), runtime, tokens) as client:
        assert (await post(client.as_("biller"))).json() == {"lock_timeout": "7s"}


async def test_a_call_that_failed_leaves_its_key_free(make_runtime: MakeRuntime, tokens: Tokens) -> None:
    runtime = await make_runtime("probe")
    slow = Slow(runtime)
    slow.go_on.set()
    slow.fails = True
    async with serving(slow.app, runtime, tokens) as client:
        assert (await post(client.as_("biller"))).status_code == 409
        assert await value(runtime, KEYS) == 0
        slow.fails = False
        again = await post(client.as_("biller"))
        assert again.status_code == 201
        assert "Idempotency-Replayed" not in again.headers
    assert await value(runtime, EFFECTS) == 1


async def test_an_answer_that_is_no_success_is_not_kept(make_runtime: MakeRuntime, tokens: Tokens) -> None:
    runtime = await make_runtime("probe")
    slow = Slow(runtime)
    slow.go_on.set()
    async with serving(slow.app, runtime, tokens) as client:
        assert (await post(client.as_("biller"), query="?answer=409")).status_code == 409
        assert await value(runtime, KEYS) == 0
        assert (await post(client.as_("biller"), query="?answer=202")).status_code == 202
        assert (await post(client.as_("biller"), query="?answer=202")).headers["Idempotency-Replayed"] == "true"


async def test_a_crash_in_the_middle_leaves_nothing(make_runtime: MakeRuntime, tokens: Tokens) -> None:
    runtime = await make_runtime("probe")
    slow = Slow(runtime)
    async with serving(slow.app, runtime, tokens) as client:
        first = asyncio.create_task(post(client.as_("biller")))
        await slow.begun.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await rows(runtime, "select 1 from idempotency_keys union all select 1 from effects") == []
        slow.go_on.set()
        assert (await post(client.as_("biller"))).status_code == 201


async def test_the_key_is_looked_up_after_authorisation(api: MakeApi) -> None:
    client = await api("probe")
    await post(client.as_("biller", sub="ada"))
    denied = await post(client.as_("submitter", sub="ada"))
    assert denied.status_code == 403
    nobody = await post(client.with_token(None))
    assert nobody.status_code == 401


async def test_the_key_is_looked_up_before_the_state(make_runtime: MakeRuntime, tokens: Tokens) -> None:
    """A repeat meets a state that the first call has changed; it must get the first answer, not a conflict."""
    runtime = await make_runtime("probe")
    routes = router("/v1/effects", "effects")

    @routes.post("", status_code=201, dependencies=[role("biller")])
    async def only_once(session: Tx, context: Ctx) -> dict[str, str]:
        if await execute(session, "insert into effects select $1, 'k', 'v' where not exists (select 1 from effects)",
                         context.ids()) == 0:  # fmt: skip
            raise Conflict("there already")
        return {"done": "yes"}

    async with serving(create_app(runtime, [routes], "once", "Once."), runtime, tokens) as client:
        assert (await post(client.as_("biller"))).status_code == 201
        assert (await post(client.as_("biller"))).status_code == 201
        assert (await post(client.as_("biller"), "another")).status_code == 409


async def test_ids_that_must_not_be_made_twice_come_from_the_key(api: MakeApi, clock: SetClock) -> None:
    client = await api("probe")
    first = await post(client.as_("biller"))
    # The stored answer has expired, the effect is still there: a repeat meets its row.
    clock.advance(timedelta(days=8))
    async with client.runtime.database.transaction() as session:
        assert await idempotency.purge(session, clock.now(), 7) == 1
    repeat = await post(client.as_("biller"))
    assert (first.status_code, repeat.status_code) == (201, 409)
    assert "exists already" in repeat.json()["detail"]
    assert await value(client.runtime, EFFECTS) == 1


async def test_keys_are_kept_for_seven_days(api: MakeApi, clock: SetClock) -> None:
    client = await api("probe")
    await post(client.as_("biller"))
    clock.advance(timedelta(days=7))
    async with client.runtime.database.transaction() as session:
        assert await idempotency.purge(session, clock.now(), 7) == 0
    await change(client.runtime, "update idempotency_keys set created_at = created_at - interval '1 second'")
    async with client.runtime.database.transaction() as session:
        assert await idempotency.purge(session, clock.now(), 7) == 1
