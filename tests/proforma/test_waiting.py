"""What waits is seen, measured, and can be asked again."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncSession

from proforma import jobs, outbox, waiting
from proforma.admin import admin_routers
from proforma.clock import SetClock
from proforma.context import Context
from proforma.db import execute
from proforma.http import create_app
from proforma.runtime import Runtime
from tests.conftest import MakeApi, MakeRuntime
from tests.support.api import serving
from tests.support.events import DeadLettered, deliver
from tests.support.probe import HANDLERS, Told
from tests.support.rows import change, value
from tests.support.tokens import Tokens


async def listed(client: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.as_("admin").get("/v1/waiting")).json()["items"]
    return items


async def test_nothing_waits_in_a_fresh_service(api: MakeApi) -> None:
    assert await listed(await api("probe")) == []


async def test_each_kind_shows_with_its_age(api: MakeApi, clock: SetClock) -> None:
    client = await api("probe")
    runtime = client.runtime
    async with runtime.database.transaction() as session:
        job = await jobs.start(session, runtime.context("ada"), "some", {})
    clock.advance(timedelta(minutes=1))
    with pytest.raises(DeadLettered):
        await deliver(runtime, HANDLERS, Told(name="k", value="poison"))
    clock.advance(timedelta(minutes=1))
    async with runtime.database.transaction() as session:
        await outbox.emit(session, runtime.context(), [Told(name="k", value="1"), Told(name="k", value="2")])
    found = await listed(client)
    assert [(one["kind"], one["since"]) for one in found] == [
        ("job", "2026-03-02T09:00:00Z"), ("dead_letter", "2026-03-02T09:01:00Z"), ("outbox", "2026-03-02T09:02:00Z"),
    ]  # fmt: skip
    assert found[0]["id"] == str(job.id)
    assert found[0]["detail"] == "some is queued, 0 of ?"
    assert "poison is not written" in found[1]["detail"]
    assert found[2]["detail"] == "oldest of 2 events that Kafka does not have"


async def test_what_is_over_waits_no_more(api: MakeApi) -> None:
    client = await api("probe")
    runtime = client.runtime
    with pytest.raises(DeadLettered):
        await deliver(runtime, HANDLERS, Told(name="k", value="poison"))
    async with runtime.database.transaction() as session:
        await jobs.start(session, runtime.context("ada"), "some", {})
        await outbox.emit(session, runtime.context(), [Told(name="k", value="1")])
    assert len(await listed(client)) == 3
    await change(runtime, "update dead_letters set status = 'dropped'")
    await change(runtime, "update jobs set status = 'failed'")
    await change(runtime, "update outbox set published = true, published_at = now()")
    assert await listed(client) == []


async def test_it_is_paged_oldest_first(api: MakeApi) -> None:
    client = await api("probe")
    for number in range(5):
        await change(client.runtime, "insert into effects values ($1, 'k', 'waits')", UUID(int=number))
    admin = client.as_("admin")
    seen: list[str] = []
    after = ""
    for _ in range(3):
        page = (await admin.get(f"/v1/waiting?limit=2{after}")).json()
        seen += [one["id"] for one in page["items"]]
        after = f"&after={page['next']}"
    assert page["next"] is None
    assert seen == [str(UUID(int=number)) for number in range(5)]
    assert (await admin.get("/v1/waiting?after=x")).status_code == 422


async def test_gauges_follow_and_fall_to_zero(make_runtime: MakeRuntime, clock: SetClock) -> None:
    runtime = await make_runtime("probe")

    def gauge(name: str) -> float | None:
        return REGISTRY.get_sample_value(f"proforma_waiting{name}", {"kind": "effect"})

    await change(runtime, "insert into effects values ($1, 'k', 'waits')", uuid4())
    async with runtime.database.transaction() as session:
        kinds = await waiting.measure(session, runtime.context(), set())
    assert (gauge(""), gauge("_oldest_seconds")) == (1, 24 * 3600)
    await change(runtime, "delete from effects")
    async with runtime.database.transaction() as session:
        assert await waiting.measure(session, runtime.context(), kinds) == {"effect"}
    assert (gauge(""), gauge("_oldest_seconds")) == (0, 0)


async def answered(session: AsyncSession, _: Context, thing: str) -> None:
    await execute(session, "update effects set value = 'asked again' where event_id = $1::uuid", thing)


def asking_app(runtime: Runtime) -> FastAPI:
    return create_app(runtime, admin_routers(HANDLERS, {"effect": answered}), "asking", "Asks again.")


async def test_a_question_is_asked_again(make_runtime: MakeRuntime, tokens: Tokens) -> None:
    runtime = await make_runtime("probe")
    one = uuid4()
    await change(runtime, "insert into effects values ($1, 'k', 'waits')", one)
    async with serving(asking_app(runtime), runtime, tokens) as client:
        assert (await client.as_("admin").post(f"/v1/waiting/{one}/ask")).status_code == 204
        assert await value(runtime, "select value from effects") == "asked again"
        assert (await client.as_("admin").post(f"/v1/waiting/{one}/ask")).status_code == 404


async def test_what_nobody_can_be_asked_about_says_so(api: MakeApi) -> None:
    client = await api("probe")
    with pytest.raises(DeadLettered):
        await deliver(client.runtime, HANDLERS, Told(name="k", value="poison"))
    (letter,) = await listed(client)
    answer = await client.as_("admin").post(f"/v1/waiting/{letter['id']}/ask")
    assert (answer.status_code, "see its own verbs" in answer.json()["detail"]) == (409, True)


async def test_asking_wakes_the_relay_and_frees_a_job_whose_lease_is_over(api: MakeApi, clock: SetClock) -> None:
    client = await api("probe")
    runtime = client.runtime
    async with runtime.database.transaction() as session:
        await outbox.emit(session, runtime.context(), [Told(name="k", value="1")])
        job = await jobs.start(session, runtime.context("ada"), "some", {})
    lease = "update jobs set status = 'running', lease_owner = $1, lease_until = $2"
    await change(runtime, lease, uuid4(), clock.now() + timedelta(seconds=1))
    woken: list[str] = []
    listener = await runtime.database.connect()
    await listener.add_listener("outbox", lambda *_: woken.append("outbox"))
    admin = client.as_("admin")
    assert (await admin.post("/v1/waiting/outbox/ask")).status_code == 204
    await listener.fetchval("select 1")
    await listener.close()
    assert woken == ["outbox"]
    assert (await admin.post(f"/v1/waiting/{job.id}/ask")).status_code == 204
    assert await value(runtime, "select lease_until is not null from jobs")
    clock.advance(timedelta(seconds=2))
    assert (await admin.post(f"/v1/waiting/{job.id}/ask")).status_code == 204
    assert await value(runtime, "select lease_until is null from jobs")
