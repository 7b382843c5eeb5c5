"""`POST /v1/entries/import`: who may, what it takes, and that one upload is one job."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from proforma.db import fetch_value
from tests.conftest import MakeApi
from tests.support.api import Api
from tests.time_expense.imports.files import CSV, csv_of, entries_of, imported, job_of, send
from tests.time_expense.work import ENTRIES, finish, person, pm, pointers, problem

ROW = csv_of({"external_id": "te-1"})


@pytest.fixture
async def client(api: MakeApi) -> Api:
    return await api("time-expense")


async def stored(client: Api) -> tuple[int, int]:
    """How many jobs there are, and bytes of uploads."""
    async with client.runtime.database.transaction() as session:
        jobs = await fetch_value(session, "select count(*) from jobs")
        kept = await fetch_value(session, "select coalesce(sum(octet_length(bytes)), 0) from upload_pieces")
        return jobs, kept


async def test_an_upload_is_kept_whole_before_a_row_is_applied(client: Api) -> None:
    answer = await send(client, ROW)
    assert answer.status_code == 202
    assert (answer.json()["kind"], answer.json()["status"]) == ("entries.import", "queued")
    assert await stored(client) == (1, len(ROW))
    assert await entries_of(client) == {}
    await finish(client.runtime)
    assert set(await entries_of(client)) == {"te-1"}


async def test_approved_needs_an_approver_or_a_service(client: Api) -> None:
    for role, allowed in (("submitter", False), ("approver", True), ("service", True), ("admin", True)):
        answer = await send(client, ROW, "approved", who=client.as_(role))
        assert (role, answer.status_code) == (role, 202 if allowed else 403)
    assert (await send(client, ROW, "submitted", who=person(client))).status_code == 202
    assert (await send(client, ROW, who=client.as_("biller"))).status_code == 403


async def test_what_is_no_import_is_refused_before_anything_is_kept(client: Api) -> None:
    for content_type in ("application/json", "multipart/form-data", "", "text/csv; charset=utf-16", "text"):
        answer = await send(client, ROW, content_type=content_type)
        assert (content_type, pointers(answer)) == (content_type, ["/headers/Content-Type"])
        assert answer.json()["errors"][0]["allowed"]
    assert pointers(await send(client, ROW, "rejected")) == ["/query/state"]
    assert pointers(await pm(client).post(f"{ENTRIES}/import?stat=draft", content=ROW, headers=CSV)) == ["/query/stat"]
    assert pointers(await send(client, "")) == [""]
    assert await stored(client) == (0, 0)


async def test_the_same_key_is_one_import(client: Api) -> None:
    first = await send(client, ROW, Idempotency_Key="once")
    again = await send(client, ROW, Idempotency_Key="once")
    assert (again.status_code, again.json(), again.headers["location"]) == (
        202, first.json(), first.headers["location"],
    )  # fmt: skip
    assert again.headers["idempotency-replayed"] == "true"
    problem(await send(client, ROW, "submitted", Idempotency_Key="once"), 422, "idempotency-key-reused")
    assert await stored(client) == (1, len(ROW))


async def test_the_same_key_twice_at_once_is_one_import(client: Api) -> None:
    answers = await asyncio.gather(*(send(client, ROW, Idempotency_Key="once") for _ in range(2)))
    assert [one.status_code for one in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert await stored(client) == (1, len(ROW))


async def test_a_key_whose_answer_has_expired_meets_the_job_of_its_first_call(client: Api) -> None:
    job = await imported(client, ROW, Idempotency_Key="once")
    async with client.runtime.database.transaction() as session:
        await fetch_value(session, "delete from idempotency_keys returning 1")
    again = await send(client, ROW, Idempotency_Key="once")
    assert (again.status_code, again.json()) == (202, job)
    assert (await stored(client))[0] == 1


async def test_uploads_have_a_limit(api: MakeApi) -> None:
    client = await api("time-expense", limits={"upload_bytes_max": 100_000, "body_bytes_max": 10})
    long = csv_of(*({"external_id": f"te-{n}"} for n in range(2000)))

    async def parts() -> AsyncIterator[bytes]:
        yield long.encode()

    problem(await send(client, long), 413, "too-large")
    streamed = await pm(client).post(f"{ENTRIES}/import", content=parts(), headers=CSV)
    problem(streamed, 413, "too-large")
    assert await stored(client) == (0, 0)
    assert (await send(client, ROW)).status_code == 202


async def test_an_upload_that_breaks_off_leaves_nothing(client: Api) -> None:
    coming: list[dict[str, Any]] = [
        {"type": "http.request", "body": ROW.encode() * 10_000, "more_body": True},
        {"type": "http.disconnect"},
    ]
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    headers = {**CSV, "authorization": pm(client).headers["authorization"]}
    scope = {
        "type": "http", "method": "POST", "path": f"{ENTRIES}/import", "query_string": b"", "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    await client.app(scope, receive, send)
    assert said[0]["status"] == 422
    assert await stored(client) == (0, 0)


async def test_a_stream_in_any_parts_is_the_same_upload(client: Api) -> None:
    upload = csv_of(*({"external_id": f"te-{n}", "description": "é\nx" * 300} for n in range(700))).encode()

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(upload), 70_001):
            yield upload[at : at + 70_001]

    answer = await pm(client).post(f"{ENTRIES}/import", content=parts(), headers=CSV)
    assert await stored(client) == (1, len(upload))
    await finish(client.runtime)
    job = await job_of(client, answer.json()["id"])
    assert (job["total"], job["result"]) == (700, {"created": 700, "updated": 0, "unchanged": 0})
