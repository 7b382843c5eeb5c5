"""The HTTP edge: one transaction a request, problems for everything, versions, limits."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from proforma import outbox
from proforma.auth import role
from proforma.db import execute
from proforma.http import Ctx, Tx, create_app, router
from proforma.runtime import Runtime
from tests.conftest import MakeApi, MakeRuntime
from tests.support.api import serving
from tests.support.databases import Databases
from tests.support.probe import Told
from tests.support.rows import change, rows, value
from tests.support.tokens import Tokens

PROBLEM = "urn:proforma:problem:"


def is_problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """Checks the answer against RFC 9457 and our own members; returns its body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["type"], body["status"]) == (PROBLEM + name, status)
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == answer.headers["x-request-id"]
    return body


# A constraint that is checked at commit makes the commit itself fail.
AT_COMMIT = """
create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not at commit'; end $$;
create constraint trigger at_commit after insert on effects deferrable initially deferred
  for each row execute function refuse();
"""


async def test_a_commit_that_fails_is_a_failure_and_leaves_nothing(api: MakeApi, databases: Databases) -> None:
    client = await api("probe")
    operator = await databases.superuser(await value(client.runtime, "select current_database()"))
    try:
        await operator.execute(AT_COMMIT)
    finally:
        await operator.close()
    answer = await client.as_("biller").post("/v1/effects", json={"value": "x"}, headers={"Idempotency-Key": "k"})
    is_problem(answer, 500, "internal")
    left = "select 1 from effects union all select 1 from outbox union all select 1 from idempotency_keys"
    assert await rows(client.runtime, left) == []


async def test_it_is_committed_before_the_answer_leaves(make_runtime: MakeRuntime, tokens: Tokens) -> None:
    runtime = await make_runtime("probe")
    seen: list[int] = []

    class Looking:
        """Looks into the database from outside when the answer begins to leave."""

        def __init__(self, app: Any) -> None:
            self._app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def sending(message: Any) -> None:
                if message["type"] == "http.response.start":
                    seen.append(await value(runtime, "select count(*) from effects"))
                await send(message)

            await self._app(scope, receive, sending)

    app = writing_app(runtime)
    app.add_middleware(Looking)
    async with serving(app, runtime, tokens) as client:
        for key in ({}, {"Idempotency-Key": "k"}):
            answer = await client.as_("biller").post("/v1/effects", headers=key)
            assert answer.status_code == 200
    assert seen == [1, 2]


def writing_app(runtime: Runtime, error: Exception | None = None) -> FastAPI:
    routes = router("/v1/effects", "effects")

    @routes.post("", dependencies=[role("biller")])
    async def write(session: Tx, context: Ctx) -> dict[str, str]:
        await execute(session, "insert into effects values ($1, 'k', 'v')", context.ids())
        await outbox.emit(session, context, [Told(name="k", value="v")])
        if error is not None:
            raise error
        return {"done": "yes"}

    return create_app(runtime, [routes], "writing", "Writes.")


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (RuntimeError("a bug"), 500, "internal"),
        (KeyError("a bug"), 500, "internal"),
        (ConnectionResetError("gone"), 503, "unavailable"),
        (TimeoutError(), 503, "unavailable"),
    ],
)
async def test_what_fails_changes_nothing_and_tells_nothing(
    make_runtime: MakeRuntime, tokens: Tokens, error: Exception, status: int, name: str
) -> None:
    runtime = await make_runtime("probe")
    async with serving(writing_app(runtime, error), runtime, tokens) as client:
        answer = await client.as_("biller").post("/v1/effects")
        body = is_problem(answer, status, name)
        assert "bug" not in answer.text
        assert "nothing was changed" in body["detail"]
        assert ("Retry-After" in answer.headers) == (status == 503)
    assert await rows(runtime, "select 1 from effects union all select 1 from outbox") == []


async def test_a_database_that_is_away_is_503(api: MakeApi, databases: Databases) -> None:
    client = await api("probe")
    name = await value(client.runtime, "select current_database()")
    await databases.close(name)
    is_problem(await client.as_("biller").get(f"/v1/effects/{uuid4()}"), 503, "unavailable")
    await databases.open(name)
    is_problem(await client.as_("biller").get(f"/v1/effects/{uuid4()}"), 404, "not-found")


async def test_a_lock_that_somebody_holds_is_503_and_not_500(api: MakeApi) -> None:
    client = await api("probe", lock_timeout_s=1)
    async with client.runtime.database.transaction() as session:
        await execute(session, "lock table effects in share mode")
        is_problem(await client.as_("biller").post("/v1/effects", json={"value": "x"}), 503, "unavailable")


async def test_unknown_addresses_and_methods(api: MakeApi) -> None:
    client = (await api("probe")).as_("biller")
    is_problem(await client.get("/v1/nothing"), 404, "not-found")
    is_problem(await client.get("/v1/effects/"), 404, "not-found")
    wrong = await client.put("/v1/effects", json={})
    is_problem(wrong, 405, "method-not-allowed")
    assert wrong.headers["allow"] == "POST"
    is_problem(await client.get(f"/v1/effects/{uuid4()}"), 404, "not-found")


async def test_fields_are_named_by_json_pointers(api: MakeApi) -> None:
    client = (await api("probe")).as_("biller")
    for body, pointer in (
        ({"value": 8}, "/value"),
        ({}, "/value"),
        ({"value": "x", "a/b~c": 1}, "/a~1b~0c"),
        ([], ""),
        (None, ""),
    ):
        answer = await client.post("/v1/effects", json=body)
        assert [one["pointer"] for one in is_problem(answer, 422, "validation")["errors"]] == [pointer]
    answer = await client.get("/v1/effects/17")
    assert is_problem(answer, 422, "validation")["errors"][0]["pointer"] == "/path/effect_id"
    answer = await client.get("/v1/jobs/17/problems?limit=x")
    pointers = [one["pointer"] for one in is_problem(answer, 422, "validation")["errors"]]
    assert pointers == ["/path/job_id", "/query/limit"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff\xfe",
        b'{"value": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"value": ' + b"9" * 5_000 + b"}",
        b"[" * 100_000,
        b'{"value": NaN}',
        b'{"value": "x"}garbage',
    ],
)
async def test_bodies_that_cannot_be_read_are_422(api: MakeApi, body: bytes) -> None:
    client = await api("probe")
    headers = {"Content-Type": "application/json"}
    answer = await client.as_("biller").post("/v1/effects", content=body, headers=headers)
    is_problem(answer, 422, "validation")


async def test_a_refusal_lists_at_most_a_hundred_errors(api: MakeApi) -> None:
    client = await api("probe")
    answer = await client.as_("biller").post("/v1/effects", json={f"f{number}": 1 for number in range(500)})
    assert len(is_problem(answer, 422, "validation")["errors"]) == 100


async def test_bodies_have_a_limit(api: MakeApi) -> None:
    client = (await api("probe", limits={"body_bytes_max": 1_000})).as_("biller")
    is_problem(await client.post("/v1/effects", json={"value": "x" * 1_000}), 413, "too-large")

    async def drips() -> Any:
        for _ in range(100):
            yield b" " * 100

    is_problem(await client.post("/v1/effects", content=drips()), 413, "too-large")
    assert (await client.post("/v1/effects", json={"value": "x"})).status_code == 201


async def test_edits_name_the_version_that_they_saw(api: MakeApi) -> None:
    client = (await api("probe")).as_("biller")
    created = await client.post("/v1/effects", json={"value": "x"})
    assert created.headers["ETag"] == '"1"'
    address = f"/v1/effects/{created.json()['event_id']}"
    is_problem(await client.patch(address, json={"value": "y"}), 428, "precondition-required")
    for fine in ('"3"', "3", 'W/"3"', "*", ' "3" '):
        answer = await client.patch(address, json={"value": fine}, headers={"If-Match": fine})
        assert (answer.status_code, answer.json()["value"]) == (200, fine)
    stale = await client.patch(address, json={"value": "y"}, headers={"If-Match": '"2"'})
    assert is_problem(stale, 412, "stale")["version"] == 3
    for wrong in (b"three", b'"-1"', b'""', b"9" * 10, '"²"'.encode("latin-1")):
        answer = await client.patch(address, json={"value": "y"}, headers={b"If-Match": wrong})
        assert is_problem(answer, 422, "validation")["errors"][0]["pointer"] == "/headers/If-Match"


async def test_what_exists_already_is_a_conflict(make_runtime: MakeRuntime, tokens: Tokens) -> None:
    runtime = await make_runtime("probe")
    one = uuid4()
    await change(runtime, "insert into effects values ($1, 'k', 'v')", one)
    routes = router("/v1/effects", "effects")

    @routes.post("", dependencies=[role("biller")])
    async def again(session: Tx) -> None:
        await execute(session, "insert into effects values ($1, 'k', 'v')", one)

    async with serving(create_app(runtime, [routes], "again", "Again."), runtime, tokens) as client:
        body = is_problem(await client.as_("biller").post("/v1/effects"), 409, "conflict")
        assert str(one) in body["detail"]


async def test_a_value_that_the_database_refuses_is_no_outage(make_runtime: MakeRuntime, tokens: Tokens) -> None:
    runtime = await make_runtime("probe")
    routes = router("/v1/effects", "effects")

    @routes.post("", dependencies=[role("biller")])
    async def wrong(session: Tx) -> None:
        await execute(session, "select $1::int", 2**40)

    async with serving(create_app(runtime, [routes], "wrong", "Wrong."), runtime, tokens) as client:
        is_problem(await client.as_("biller").post("/v1/effects"), 500, "internal")


async def test_openapi_describes_every_route_with_its_problems(api: MakeApi) -> None:
    client = await api("probe")
    document = (await client.with_token(None).get("/openapi.json")).json()
    assert document["info"]["title"] == "probe"
    for path, item in document["paths"].items():
        if not path.startswith("/v1"):
            continue
        for operation in item.values():
            assert operation["security"], path
            assert {"401", "403", "422", "503"} <= operation["responses"].keys(), path
            assert operation.get("description"), path
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert response["content"].keys() == {"application/problem+json"}, (path, status)
