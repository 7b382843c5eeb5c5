"""A database that is older than what it has said says nothing more until somebody has decided (design §5.18)."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from proforma import outbox
from proforma.errors import Conflict, Unavailable
from proforma.history import History
from proforma.restore import adopt
from proforma.runtime import Runtime
from tests.conftest import MakeApi, MakeRuntime
from tests.proforma.restore.scene import TOPIC, Run, restored, say, takes_effect, tell, working
from tests.support.databases import Databases, LentDatabase
from tests.support.kafka import Broker
from tests.support.rows import change, rows, value
from tests.support.waits import eventually


async def test_a_restored_database_says_nothing_and_says_why(
    lent: tuple[Runtime, LentDatabase], databases: Databases, api: MakeApi, broker: Broker
) -> None:
    runtime, database = lent
    await say(runtime, "before")
    async with restored(databases, runtime, database, "after 1", "after 2"):
        client = await api(runtime)
        # Before any worker has looked nobody can know, and a number given twice cannot be taken back.
        refused = await client.as_("biller").post("/v1/effects", json={"value": "new"})
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:proforma:problem:unavailable")
        (before,) = await rows(runtime, "select event_id from effects")
        path = f"/v1/effects/{before['event_id']}"
        edited = await client.as_("biller").patch(path, json={"value": "new"}, headers={"If-Match": "*"})
        assert edited.status_code == 503, "what says nothing is not written either"
        assert (await client.as_("biller").get(path)).json()["value"] == "before"
        said = len(await broker.read(TOPIC))
        async with working(runtime) as worker:
            doubted = "select doubt from database_identity where doubt is not null"
            await eventually(lambda: rows(runtime, doubted), 60)
            why = await value(runtime, doubted)
            assert "older than what it has said: probe.things/" in why
            assert "restore list" in why
            waits = await rows(runtime, "select id, since, detail from waiting where kind = 'database_in_doubt'")
            assert waits == [{"id": "database", "since": runtime.clock.now(), "detail": why}]
            refused = await client.as_("biller").post("/v1/effects", json={"value": "new"})
            assert (refused.status_code, why in refused.json()["detail"]) == (503, True)
            ready = await client.with_token(None).get("/health/ready")
            assert (ready.status_code, ready.json()["dependencies"]["history"]) == (503, why)
            assert not worker.relay.active
            assert worker.consumer is not None
            assert worker.consumer.assigned == set()
        assert len(await broker.read(TOPIC)) == said
        assert await value(runtime, "select count(*) from effects") == 1
        with pytest.raises(Unavailable, match="older than"):
            await tell(runtime, "new")


async def test_after_accepting_it_goes_on_and_gives_no_id_twice(
    lent: tuple[Runtime, LentDatabase], databases: Databases, broker: Broker, command: Run
) -> None:
    runtime, database = lent
    await say(runtime, "before")
    async with restored(databases, runtime, database, *(f"after {n}" for n in range(20))):
        code, output = await command(runtime, "restore", "list", "--json")
        assert code == 0, output
        assert len(json.loads(output)) == 20
        code, output = await command(runtime, "restore", "status")
        assert (code, "older than what it has said" in output) == (1, True)
        code, output = await command(runtime, "restore", "accept", "--by", "ops", "--reason", "the disk died")
        assert code == 0, output
        assert "20 events" in output
        assert await rows(runtime, "select what, events, reason, decided_by from restores") == [
            {"what": "accepted", "events": 20, "reason": "the disk died", "decided_by": "ops"}
        ]
        # The consumer reads again from its restored position: each takes effect once, also here.
        await say(runtime, "new 1", "new 2")
        await takes_effect(runtime, "before", *(f"after {n}" for n in range(20)), "new 1", "new 2")
        code, output = await command(runtime, "restore", "status")
        assert code == 0, output
    sent = await broker.read(TOPIC)
    assert len({record.header("ce_id") for record in sent}) == len(sent) == 23
    assert len({record.header("ce_outboxid") for record in sent}) == 23


async def test_what_another_service_has_forgotten_can_be_ignored(
    lent: tuple[Runtime, LentDatabase], databases: Databases, tmp_path: Path, command: Run
) -> None:
    """All databases restored to one moment: what was said after it takes effect nowhere."""
    runtime, database = lent
    await say(runtime, "before")
    async with restored(databases, runtime, database, "after 1", "after 2"):
        code, output = await command(runtime, "restore", "list", "--json")
        assert code == 0, output
        file = tmp_path / "said.json"
        file.write_text(output)
        code, output = await command(runtime, "restore", "ignore", str(file), "--by", "ops", "--reason", "r")
        assert (code, "2 of 2 events" in output) == (0, True), output
        code, output = await command(runtime, "restore", "accept", "--by", "ops", "--reason", "r")
        assert code == 0, output
        await say(runtime, "new")
        await takes_effect(runtime, "before", "new")
        file.write_text('[{"event": 1}]')
        code, output = await command(runtime, "restore", "ignore", str(file), "--by", "ops", "--reason", "r")
        assert (code, "not what `restore list --json` writes" in output) == (1, True), output


async def test_a_new_database_on_old_topics_waits_until_the_old_one_is_adopted(
    lent: tuple[Runtime, LentDatabase], make_runtime: MakeRuntime, databases: Databases, command: Run
) -> None:
    old, _ = lent
    await say(old, "old 1", "old 2")
    new = await make_runtime("probe")
    # The tests' databases are clones of one; one that was migrated by itself has an origin of its own.
    operator = await databases.superuser(await value(new, "select current_database()"))
    await operator.execute("update database_identity set origin = gen_random_uuid()")
    await operator.close()
    origin = await value(old, "select origin from database_identity")
    why = await History(new).compare()
    assert why is not None
    assert f"restore adopt {origin}" in why
    code, output = await command(new, "restore", "accept", "--by", "ops", "--reason", "r")
    assert (code, "another database has spoken" in output) == (1, True), output
    code, output = await command(new, "restore", "adopt", str(origin), "--by", "ops", "--reason", "a fresh start")
    assert (code, "goes on" in output) == (0, True), output
    await say(new, "new")
    code, output = await command(new, "restore", "status")
    assert (code, str(origin) in output) == (0, True), output
    # The old one, were it to come back, finds that somebody else has spoken since.
    why = await History(old).compare()
    assert why is not None
    assert f"restore adopt {await value(new, 'select origin from database_identity')}" in why


async def test_an_id_that_was_given_twice_takes_nothing_away(
    lent: tuple[Runtime, LentDatabase], databases: Databases, command: Run
) -> None:
    """A copy spoke beside its original: two events have one outbox id, and both are kept."""
    runtime, database = lent
    await say(runtime, "before")
    async with restored(databases, runtime, database, "elsewhere"):
        await change(
            runtime,
            "insert into outbox (event_id, topic, type, key, body, created_at)"
            " values (gen_random_uuid(), 'probe.things', 'proforma.probe.thing.told.v1', 'k0', $1, now())",
            '{"name": "k0", "value": "here"}',
        )
        code, output = await command(runtime, "restore", "accept", "--by", "ops", "--reason", "r")
        assert code == 0, output
        assert await value(runtime, "select count(*) from outbox") == 3
        await say(runtime, "new")
        await takes_effect(runtime, "before", "elsewhere", "here", "new")


async def test_an_origin_of_its_own_is_refused_in_words(lent: tuple[Runtime, LentDatabase]) -> None:
    runtime, _ = lent
    async with runtime.database.transaction() as session:
        origin: UUID = await outbox.origin(session)
        with pytest.raises(Conflict, match="own origin"):
            await adopt(session, runtime.context(), origin, "r")
