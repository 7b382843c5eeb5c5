"""Dead letters over HTTP: seen, repaired, replayed, dropped with a reason that answers for what is lost."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from proforma.admin import admin_routers
from proforma.context import Context
from proforma.envelope import Message, Record
from proforma.errors import BrokenRule, Conflict
from proforma.handlers import Handler, Handlers
from proforma.http import create_app
from proforma.intake import Intake
from proforma.runtime import Runtime
from tests.conftest import MakeApi, MakeRuntime
from tests.support.api import Api, serving
from tests.support.events import DeadLettered, deliver, record_of
from tests.support.probe import HANDLERS, Told, write_effects
from tests.support.rows import change, rows, value
from tests.support.tokens import Tokens

EVENT = UUID("01890000-0000-7000-8000-000000000001")


async def letter_of(client: Api, text: str = "poison") -> dict[str, Any]:
    """Delivers one message that becomes a dead letter; returns it as the API shows it."""
    with pytest.raises(DeadLettered):
        await deliver(client.runtime, HANDLERS, record_of(Told(name="k", value=text), EVENT))
    page = (await client.as_("admin").get("/v1/dead-letters")).json()
    found: dict[str, Any] = page["items"][-1]
    return found


async def test_they_are_listed_and_shown(api: MakeApi) -> None:
    client = await api("probe")
    letter = await letter_of(client)
    assert letter["reason"] == "BrokenRule: poison is not written"
    assert (letter["topic"], letter["partition"], letter["offset"]) == ("probe.things", 0, 0)
    assert (letter["event_id"], letter["event_type"], letter["key"]) == (str(EVENT), Told.TYPE, "k")
    assert letter["status"] == "waiting"
    assert "body" not in letter
    shown = (await client.as_("admin").get(f"/v1/dead-letters/{letter['id']}")).json()
    assert shown["body"] == '{"name":"k","value":"poison"}'
    assert {"name": "ce_id", "value": str(EVENT)} in shown["headers"]
    assert (await client.as_("admin").get(f"/v1/dead-letters/{EVENT}")).status_code == 404


async def test_they_are_paged_and_filtered_by_status(api: MakeApi) -> None:
    client = await api("probe")
    for _ in range(3):
        with pytest.raises(DeadLettered):
            await deliver(client.runtime, HANDLERS, Told(name="k", value="poison"))
    admin = client.as_("admin")
    first = (await admin.get("/v1/dead-letters?limit=2")).json()
    second = (await admin.get(f"/v1/dead-letters?limit=2&after={first['next']}")).json()
    assert [len(first["items"]), len(second["items"])] == [2, 1]
    assert second["next"] is None
    dropped = await admin.post(f"/v1/dead-letters/{first['items'][0]['id']}/drop", json={"reason": "noise"})
    assert dropped.status_code == 200
    assert len((await admin.get("/v1/dead-letters?status=waiting")).json()["items"]) == 2
    assert len((await admin.get("/v1/dead-letters?status=dropped")).json()["items"]) == 1
    assert (await admin.get("/v1/dead-letters?status=lost")).status_code == 422


async def test_a_repaired_body_takes_effect_once(api: MakeApi) -> None:
    client = await api("probe")
    letter = await letter_of(client)
    address = f"/v1/dead-letters/{letter['id']}/replay"
    answer = await client.as_("admin", sub="ada").post(address, json={"body": '{"name": "k", "value": "good"}'})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "replayed"
    assert answer.json()["decided_by"] == "ada"
    assert answer.json()["repaired"] == '{"name": "k", "value": "good"}'
    assert answer.json()["body"] == '{"name":"k","value":"poison"}'
    assert await rows(client.runtime, "select event_id, value from effects") == [{"event_id": EVENT, "value": "good"}]
    again = await client.as_("admin").post(address, json={})
    assert (again.status_code, again.json()["reason"]) == (409, "wrong_state")
    # A copy that comes later, such as from a producer that sends again, finds its id in the inbox.
    await deliver(client.runtime, HANDLERS, record_of(Told(name="k", value="good"), EVENT))
    assert await value(client.runtime, "select count(*) from effects") == 1


async def test_as_it_came_after_the_cause_is_repaired(api: MakeApi) -> None:
    client = await api("probe")
    await change(client.runtime, "insert into effects values ($1, 'in', 'the way')", EVENT)
    letter = await letter_of(client, "fine")
    assert "duplicate key" in letter["reason"]
    address = f"/v1/dead-letters/{letter['id']}/replay"
    still = await client.as_("admin").post(address)
    assert (still.status_code, "duplicate key" in still.json()["detail"]) == (409, True)
    await change(client.runtime, "delete from effects")
    assert (await client.as_("admin").post(address)).status_code == 200
    assert await value(client.runtime, "select value from effects") == "fine"


async def test_a_replay_that_still_fails_changes_nothing(api: MakeApi) -> None:
    client = await api("probe")
    letter = await letter_of(client)
    for body in (None, {}, {"body": "{"}, {"body": '{"name": "k", "value": "poison"}'}):
        answer = await client.as_("admin").post(f"/v1/dead-letters/{letter['id']}/replay", json=body)
        assert answer.status_code == 409, answer.text
        assert "still cannot take effect" in answer.json()["detail"]
    shown = (await client.as_("admin").get(f"/v1/dead-letters/{letter['id']}")).json()
    assert (shown["status"], shown["repaired"], shown["decided_by"]) == ("waiting", None, None)
    assert await value(client.runtime, "select (select count(*) from effects) + (select count(*) from inbox)") == 0
    assert (await client.as_("admin").post(f"/v1/dead-letters/{EVENT}/replay", json={})).status_code == 404
    nul = await client.as_("admin").post(f"/v1/dead-letters/{letter['id']}/replay", json={"body": "\x00"})
    assert nul.status_code == 422


async def test_dropping_needs_a_reason_and_keeps_who_and_why(api: MakeApi) -> None:
    client = await api("probe")
    letter = await letter_of(client)
    address = f"/v1/dead-letters/{letter['id']}/drop"
    assert (await client.as_("admin").post(address, json={})).status_code == 422
    assert (await client.as_("admin").post(address, json={"reason": ""})).status_code == 422
    answer = await client.as_("admin", sub="ada").post(address, json={"reason": "sent by mistake"})
    shown = answer.json()
    assert (shown["status"], shown["decided_by"], shown["decision_reason"]) == ("dropped", "ada", "sent by mistake")
    assert shown["decided_at"] == "2026-03-02T09:00:00Z"
    again = await client.as_("admin").post(address, json={"reason": "twice"})
    assert again.status_code == 409


@pytest.mark.parametrize("who", ["submitter", "approver", "biller", "manager", "service"])
async def test_they_are_the_admins_alone(api: MakeApi, who: str) -> None:
    client = await api("probe")
    caller = client.as_(who)
    for answer in (
        await caller.get("/v1/dead-letters"),
        await caller.get(f"/v1/dead-letters/{EVENT}"),
        await caller.post(f"/v1/dead-letters/{EVENT}/replay", json={}),
        await caller.post(f"/v1/dead-letters/{EVENT}/drop", json={"reason": "r"}),
        await caller.get("/v1/waiting"),
        await caller.post("/v1/waiting/x/ask"),
    ):
        assert answer.status_code == 403


async def answer_for(session: AsyncSession, context: Context, record: Record) -> None:
    """What was waited for is told: here, as an effect. A message that names itself final is not given up."""
    if record.value and b"final" in record.value:
        raise Conflict("this one cannot be dropped", reason="posting_pending")
    await write_effects(session, context, [Message(record.event_id(), Told(name="answer", value="refused"), record)])


async def refuse_all(_: AsyncSession, __: Context, ___: Sequence[Message[Told]]) -> None:
    raise BrokenRule("no")


ANSWERING = Handlers(Handler(Told, refuse_all, on_drop=answer_for))


def answering_app(runtime: Runtime) -> FastAPI:
    return create_app(runtime, admin_routers(ANSWERING), "probe", "With an answer for what is dropped.")


async def test_dropping_answers_for_what_it_drops_or_is_refused(make_runtime: MakeRuntime, tokens: Tokens) -> None:
    runtime = await make_runtime("probe")
    for text in ("usual", "final"):
        with pytest.raises(DeadLettered):
            await deliver(runtime, ANSWERING, Told(name="k", value=text))
    async with serving(answering_app(runtime), runtime, tokens) as client:
        admin = client.as_("admin")
        usual, final = (await admin.get("/v1/dead-letters")).json()["items"]
        answer = await admin.post(f"/v1/dead-letters/{usual['id']}/drop", json={"reason": "r"})
        assert answer.status_code == 200
        effects = await rows(runtime, "select key, value from effects")
        assert effects == [{"key": "answer", "value": "refused"}]
        refused = await admin.post(f"/v1/dead-letters/{final['id']}/drop", json={"reason": "r"})
        assert (refused.status_code, refused.json()["reason"]) == (409, "posting_pending")
        assert (await admin.get(f"/v1/dead-letters/{final['id']}")).json()["status"] == "waiting"


async def test_what_has_no_readable_type_or_id_can_be_seen_and_dropped(api: MakeApi) -> None:
    client = await api("probe")
    intake = Intake(client.runtime.database, client.runtime.context(), HANDLERS, client.runtime.group)
    garbled = Record("probe.things", 0, 0, b"\xff", [("ce_type", b"\xff"), ("ce_id", None)], b"\xff\x00")
    await intake.handle(("probe.things", 0), 0, [garbled])
    admin = client.as_("admin")
    (letter,) = (await admin.get("/v1/dead-letters")).json()["items"]
    shown = (await admin.get(f"/v1/dead-letters/{letter['id']}")).json()
    assert (shown["event_id"], shown["event_type"], shown["body"]) == (None, None, "�\x00")
    assert shown["headers"] == [{"name": "ce_type", "value": "�"}, {"name": "ce_id", "value": None}]
    assert (await admin.post(f"/v1/dead-letters/{letter['id']}/replay", json={})).status_code == 409
    assert (await admin.post(f"/v1/dead-letters/{letter['id']}/drop", json={"reason": "noise"})).status_code == 200
