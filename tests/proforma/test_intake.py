"""Batches into effects: the position, the inbox and the dead letters of one transaction."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncSession

from proforma.context import Context
from proforma.envelope import Message, Record
from proforma.handlers import Handler, Handlers
from proforma.intake import Behind, Intake, first_run
from proforma.runtime import Runtime
from tests.conftest import MakeRuntime
from tests.support.databases import Databases
from tests.support.events import record_of
from tests.support.probe import HANDLERS, Other, Told, write_effects
from tests.support.rows import change, locks_awaited, rows, value

TOPIC = ("probe.things", 0)
POSITION = "select next_offset from consumed where topic = 'probe.things' and partition = 0"
LETTERS = "select kafka_offset, event_type, reason, status, key from dead_letters order by kafka_offset"


def intake_of(runtime: Runtime, handlers: Handlers = HANDLERS) -> Intake:
    return Intake(runtime.database, runtime.context(), handlers, runtime.group)


def told(*values: str, first: int = 0) -> list[Record]:
    return [record_of(Told(name="k", value=one), offset=first + number) for number, one in enumerate(values)]


async def take(runtime: Runtime, *records: Record) -> None:
    """In runs of one type, as the consumer does."""
    rest = list(records)
    while rest:
        batch = first_run(rest, 50)
        await intake_of(runtime).handle(TOPIC, batch[0].offset, batch)
        rest = rest[len(batch) :]


async def effects(runtime: Runtime) -> list[str]:
    return [row["value"] for row in await rows(runtime, "select value from effects order by value")]


def counted(outcome: str, event_type: str = Told.TYPE) -> float:
    labels = {"topic": "probe.things", "type": event_type, "outcome": outcome}
    return REGISTRY.get_sample_value("proforma_messages_total", labels) or 0


def with_header(record: Record, name: str, content: bytes | None) -> Record:
    others = [pair for pair in record.headers if pair[0] != name]
    return replace(record, headers=[*others, (name, content)])


def without_header(record: Record, name: str) -> Record:
    return replace(record, headers=[pair for pair in record.headers if pair[0] != name])


async def test_effect_inbox_and_position_are_one_transaction(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    await intake_of(runtime).handle(TOPIC, 0, told("a", "b"))
    assert await effects(runtime) == ["a", "b"]
    assert await value(runtime, POSITION) == 2
    assert await value(runtime, "select count(*) from inbox") == 2


async def test_what_lies_below_the_position_is_cut_off(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    batch = told("a", "b", "c")
    await intake_of(runtime).handle(TOPIC, 0, batch[:2])
    # Without the inbox nothing but the position can tell that a and b were there.
    await change(runtime, "delete from inbox")
    await intake_of(runtime).handle(TOPIC, 0, batch)
    assert await effects(runtime) == ["a", "b", "c"]
    assert await rows(runtime, LETTERS) == []
    await intake_of(runtime).handle(TOPIC, 0, batch)
    assert await value(runtime, POSITION) == 3


async def test_a_batch_read_from_beyond_the_position_takes_no_effect(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    await intake_of(runtime).handle(TOPIC, 0, told("a"))
    with pytest.raises(Behind) as behind:
        await intake_of(runtime).handle(TOPIC, 5, told("f", first=5))
    assert behind.value.offset == 1
    assert await effects(runtime) == ["a"]
    assert await value(runtime, POSITION) == 1


async def test_a_hole_inside_the_log_is_stepped_over(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    await intake_of(runtime).handle(TOPIC, 0, told("a"))
    await intake_of(runtime).handle(TOPIC, 1, told("f", first=5))
    assert await value(runtime, POSITION) == 6


async def test_two_members_with_the_same_batch_come_one_after_the_other(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    handled: list[int] = []

    async def slowly(session: AsyncSession, context: Context, messages: Sequence[Message[Told]]) -> None:
        handled.append(len(messages))
        await locks_awaited(runtime)
        await write_effects(session, context, messages)

    intake = intake_of(runtime, Handlers(Handler(Told, slowly)))
    batch = told("a", "b")
    await asyncio.gather(intake.handle(TOPIC, 0, batch), intake.handle(TOPIC, 0, batch))
    assert handled == [2]
    assert await effects(runtime) == ["a", "b"]


async def test_a_repeat_in_the_same_batch_and_later_takes_effect_once(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    first, second = told("a", "b")
    before = counted("repeated")
    await intake_of(runtime).handle(TOPIC, 0, [first, second, replace(first, offset=2)])
    await intake_of(runtime).handle(TOPIC, 3, [replace(second, offset=3)])
    assert await effects(runtime) == ["a", "b"]
    assert await rows(runtime, LETTERS) == []
    assert counted("repeated") - before == 2


async def test_each_type_meets_its_own_handler(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    handled: list[tuple[str, list[str]]] = []

    async def first(_: AsyncSession, __: Context, messages: Sequence[Message[Told]]) -> None:
        handled.append(("told", [one.body.value for one in messages]))

    async def second(_: AsyncSession, __: Context, messages: Sequence[Message[Told]]) -> None:
        handled.append(("other", [one.body.value for one in messages]))

    records = [*told("a", "b"), record_of(Other(name="k", value="c"), offset=2), *told("d", first=3)]
    intake = intake_of(runtime, Handlers(Handler(Told, first), Handler(Other, second)))
    for batch in (records[:2], records[2:3], records[3:]):
        await intake.handle(TOPIC, batch[0].offset, batch)
    assert handled == [("told", ["a", "b"]), ("other", ["c"]), ("told", ["d"])]


def test_a_run_ends_where_the_type_changes_and_at_its_most() -> None:
    records = [*told("a", "b"), record_of(Other(name="k", value="c")), *told("d")]
    assert first_run(records, 50) == records[:2]
    assert first_run(records, 1) == records[:1]
    assert first_run(records[2:], 50) == records[2:3]
    assert first_run([], 50) == []


async def test_an_unknown_type_is_acknowledged_and_counted(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    strange = with_header(told("a")[0], "ce_type", b"proforma.probe.weather.changed.v1")
    before = counted("ignored", "unknown")
    await intake_of(runtime).handle(TOPIC, 0, [strange])
    assert await value(runtime, POSITION) == 1
    assert counted("ignored", "unknown") - before == 1
    assert await value(runtime, "select (select count(*) from dead_letters) + (select count(*) from effects)") == 0


async def test_an_unknown_version_of_a_known_type_is_a_dead_letter(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    newer = with_header(told("a")[0], "ce_type", b"proforma.probe.thing.told.v2")
    await intake_of(runtime).handle(TOPIC, 0, [newer])
    (letter,) = await rows(runtime, LETTERS)
    assert letter["event_type"] == "proforma.probe.thing.told.v2"
    assert "a version that this release does not know" in letter["reason"]
    assert await value(runtime, POSITION) == 1


BROKEN: dict[str, tuple[Callable[[Record], Record], str]] = {
    "no type": (lambda one: without_header(one, "ce_type"), "no ce_type"),
    "type without a value": (lambda one: with_header(one, "ce_type", None), "no ce_type"),
    "type not UTF-8": (lambda one: with_header(one, "ce_type", b"\xff\xfe"), "no ce_type"),
    "type with NUL": (lambda one: with_header(one, "ce_type", b"a\x00b"), "no ce_type"),
    "no id": (lambda one: without_header(one, "ce_id"), "ce_id is not a UUID"),
    "id is none": (lambda one: with_header(one, "ce_id", b"17"), "ce_id is not a UUID"),
    "id not UTF-8": (lambda one: with_header(one, "ce_id", b"\xff"), "ce_id is not a UUID"),
    "other header not UTF-8": (lambda one: with_header(replace(one, value=b"{"), "x-y\x00", b"\xff"), "Invalid JSON"),
    "no value": (lambda one: replace(one, value=None), "no value"),
    "empty": (lambda one: replace(one, value=b""), "Invalid JSON"),
    "broken JSON": (lambda one: replace(one, value=b'{"name": "k", "val'), "Invalid JSON"),
    "not UTF-8": (lambda one: replace(one, value=b'{"name": "\xff"}'), "Invalid JSON"),
    "half a surrogate pair": (lambda one: replace(one, value=b'{"name": "\\ud800", "value": ""}'), "Invalid JSON"),
    "a list": (lambda one: replace(one, value=b"[]"), "Told"),
    "a field is missing": (lambda one: replace(one, value=b'{"name": "k"}'), "Field required"),
    "a wrong type": (lambda one: replace(one, value=b'{"name": "k", "value": 8}'), "valid string"),
    "what the database refuses": (lambda one: replace(one, value=b'{"name": "k", "value": "a\\u0000b"}'), "0x00"),
    "a broken rule": (lambda one: replace(one, value=b'{"name": "k", "value": "poison"}'), "poison is not written"),
    "key is no text": (lambda one: replace(one, key=b"\xff\x00", value=b"{"), "Invalid JSON"),
    "no key": (lambda one: replace(one, key=None, value=b"{"), "Invalid JSON"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_poison_is_set_aside_and_its_neighbours_take_effect(make_runtime: MakeRuntime, case: str) -> None:
    runtime = await make_runtime("probe")
    spoil, reason = BROKEN[case]
    before, poison, after = told("before", "spoiled", "after")
    await take(runtime, before, spoil(poison), after)
    assert await effects(runtime) == ["after", "before"]
    (letter,) = await rows(runtime, LETTERS)
    assert letter["kafka_offset"] == 1
    assert reason in letter["reason"]
    assert letter["status"] == "waiting"
    assert await value(runtime, POSITION) == 3


async def test_an_unknown_field_is_ignored(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    (one,) = told("a")
    await intake_of(runtime).handle(TOPIC, 0, [replace(one, value=b'{"name": "k", "value": "a", "new": 1}')])
    assert await effects(runtime) == ["a"]


async def test_a_bug_of_our_own_sets_its_message_aside(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")

    async def buggy(_: AsyncSession, __: Context, messages: Sequence[Message[Told]]) -> None:
        messages[0].body.value.no_such_thing()  # type: ignore[attr-defined]

    await intake_of(runtime, Handlers(Handler(Told, buggy))).handle(TOPIC, 0, told("a"))
    (letter,) = await rows(runtime, LETTERS)
    assert "AttributeError" in letter["reason"]


AWAY = {
    "lock time-out": asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
    "statement time-out": asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
    "deadlock": asyncpg.DeadlockDetectedError("deadlock detected"),
    "connection": ConnectionResetError("gone"),
    "read only": asyncpg.ReadOnlySQLTransactionError("a standby"),
    "a right is missing": asyncpg.InsufficientPrivilegeError("not migrated yet"),
}


@pytest.mark.parametrize("case", AWAY)
async def test_what_may_pass_is_never_a_dead_letter(make_runtime: MakeRuntime, case: str) -> None:
    runtime = await make_runtime("probe")

    async def fails(_: AsyncSession, __: Context, ___: Sequence[Message[Told]]) -> None:
        raise AWAY[case]

    with pytest.raises(type(AWAY[case])):
        await intake_of(runtime, Handlers(Handler(Told, fails))).handle(TOPIC, 0, told("a"))
    assert await rows(runtime, LETTERS) == []
    assert await rows(runtime, POSITION) == []


async def test_a_connection_lost_in_the_middle_is_no_dead_letter(
    make_runtime: MakeRuntime, databases: Databases
) -> None:
    runtime = await make_runtime("probe")
    operator = await databases.superuser(await value(runtime, "select current_database()"))

    async def cut_off(session: AsyncSession, context: Context, messages: Sequence[Message[Told]]) -> None:
        await operator.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        await write_effects(session, context, messages)

    try:
        with pytest.raises(Exception, match=r"connection|terminat"):
            await intake_of(runtime, Handlers(Handler(Told, cut_off))).handle(TOPIC, 0, told("a"))
    finally:
        await operator.close()
    assert await rows(runtime, LETTERS) == []
    await intake_of(runtime).handle(TOPIC, 0, told("a"))
    assert await effects(runtime) == ["a"]


async def test_dead_letters_of_a_log_that_begins_anew_are_kept_beside_the_old_ones(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    await intake_of(runtime).handle(TOPIC, 0, told("poison"))
    await change(runtime, "delete from consumed")
    await intake_of(runtime).handle(TOPIC, 0, [record_of(Told(name="k", value="poison"), uuid4())])
    assert len(await rows(runtime, LETTERS)) == 2
