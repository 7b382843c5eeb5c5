"""What the topics hold of a service, beside what its database knows of it."""

from dataclasses import replace
from uuid import uuid4

from proforma import known, outbox
from proforma.envelope import Record
from proforma.history import History
from proforma.runtime import Runtime
from tests.proforma.restore.scene import restored, say, takes_effect, tell, working
from tests.support.databases import Databases, LentDatabase
from tests.support.events import record_of
from tests.support.kafka import Broker
from tests.support.probe import Told
from tests.support.rows import change, rows, value
from tests.support.waits import eventually


async def test_an_event_that_was_sent_and_not_marked_is_no_loss(
    lent: tuple[Runtime, LentDatabase], databases: Databases
) -> None:
    runtime, database = lent
    await say(runtime, "a")
    await tell(runtime, "b")  # committed before the backup, sent after it
    await runtime.database.engine.dispose()
    copy = await databases.back_up(database)
    try:
        await say(runtime)
        await runtime.database.engine.dispose()
        await databases.restore(database, copy)
        assert await History(runtime).compare() is None
        await say(runtime, "c")
    finally:
        await databases.drop(copy)
    await takes_effect(runtime, "a", "b", "c")


async def test_one_that_was_forgotten_behind_one_that_was_not(
    lent: tuple[Runtime, LentDatabase], databases: Databases
) -> None:
    """Ids are given before commits: the last message of a partition may be older than the one before it."""
    runtime, database = lent
    await tell(runtime, "kept")  # id 1, sent last
    await runtime.database.engine.dispose()
    copy = await databases.back_up(database)
    try:
        await change(runtime, "update outbox set published = true")
        await say(runtime, "forgotten")
        await change(runtime, "update outbox set published = false where id = 1")
        await say(runtime)
        await runtime.database.engine.dispose()
        await databases.restore(database, copy)
        why = await History(runtime).compare()
        assert why is not None
        assert "older than what it has said" in why
    finally:
        await databases.drop(copy)


async def test_a_new_database_on_empty_topics_begins(lent: tuple[Runtime, LentDatabase]) -> None:
    runtime, _ = lent
    await change(runtime, "update database_identity set known_as = null")
    async with working(runtime):
        await eventually(lambda: value(runtime, f"select ({known.KNOWN})"), 60)
    await say(runtime, "first")


async def test_messages_of_other_publishers_are_ignored(
    lent: tuple[Runtime, LentDatabase], databases: Databases, broker: Broker
) -> None:
    runtime, database = lent
    await say(runtime, "before")
    foreign = record_of(Told(name="k0", value="foreign"))
    headers = dict(foreign.headers)

    def as_(number: int, **changed: bytes | None) -> Record:
        merged = {**headers, "ce_id": str(uuid4()).encode(), **changed}
        kept = [(name, one) for name, one in merged.items() if one is not None]
        return replace(foreign, partition=number % 3, headers=kept)

    odd = [
        as_(0, ce_source=b"/somebody-else"),
        as_(1, ce_outboxid=None),
        as_(2, ce_outboxorigin=b"none"),
        as_(3, ce_outboxid=b"-1"),
        as_(4, ce_outboxid=str(2**64).encode()),
        as_(5, ce_id=b"no id"),
    ]
    await broker.send(*odd, *[as_(number, ce_source=b"/somebody-else") for number in range(60)])
    assert await History(runtime).compare() is None
    async with restored(databases, runtime, database, "after"):
        await broker.send(*[as_(number, ce_source=b"/somebody-else") for number in range(300)])
        why = await History(runtime).compare()
        assert why is not None
        assert "older than what it has said" in why


async def test_whatever_a_restore_exchanges_is_in_the_incarnation(
    lent: tuple[Runtime, LentDatabase], databases: Databases
) -> None:
    """Another database, another table in it, another start of the server: a dump, `--clean`, and recovery in place."""
    runtime, database = lent
    parts = """
        select (select oid from pg_database where datname = current_database())::text as a,
          'outbox'::regclass::oid::text as b, extract(epoch from pg_postmaster_start_time())::text as c
    """
    (one,) = await rows(runtime, parts)
    assert await value(runtime, f"select ({known.INCARNATION})") == f"{one['a']}/{one['b']}/{one['c']}"
    operator = await databases.superuser(database.name)
    await operator.execute("create table other (like outbox including all); drop table outbox cascade")
    await operator.execute("alter table other rename to outbox; grant all on outbox to public")
    await operator.close()
    assert not await value(runtime, f"select ({known.KNOWN})")


async def test_what_was_purged_long_ago_is_known(lent: tuple[Runtime, LentDatabase]) -> None:
    runtime, _ = lent
    await say(runtime, "old", "older")
    await change(runtime, "update outbox set published_at = published_at - interval '31 days'")
    async with runtime.database.transaction() as session:
        assert await outbox.purge(session, runtime.clock.now(), 30) == 2
    assert await History(runtime).compare() is None


async def test_a_restored_result_counts_for_nothing(lent: tuple[Runtime, LentDatabase], databases: Databases) -> None:
    """The backup holds "known": it was, but of the database that is gone."""
    runtime, database = lent
    assert await value(runtime, f"select ({known.KNOWN})")
    async with restored(databases, runtime, database, "after"):
        assert not await value(runtime, f"select ({known.KNOWN})")
