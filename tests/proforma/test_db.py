"""The database: one transaction, whichever way its statements go, and locks that nobody waits for in a circle."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from proforma.db import copy, driver, execute, fetch, fetch_one, fetch_value, lock_keys
from proforma.failures import is_deterministic, timed_out
from proforma.runtime import Runtime
from tests.conftest import MakeRuntime
from tests.support.probe import Effect
from tests.support.rows import rows, value
from tests.support.waits import eventually

INSERT = "insert into effects values ($1, 'k', 'v')"


async def test_the_first_statement_is_part_of_the_transaction_too(make_runtime: MakeRuntime) -> None:
    """Straight to the driver, before SQLAlchemy has begun anything: it must not commit on its own."""
    runtime = await make_runtime("probe")
    async with runtime.database.transaction() as session:
        await execute(session, INSERT, uuid4())
        await session.rollback()
    assert await value(runtime, "select count(*) from effects") == 0


async def test_the_orm_and_the_driver_see_one_another(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    one, two = uuid4(), uuid4()
    async with runtime.database.transaction() as session:
        session.add(Effect(event_id=one, key="k", value="orm"))
        await session.flush()
        assert await fetch_value(session, "select value from effects where event_id = $1", one) == "orm"
        await execute(session, INSERT, two)
        found = await session.get(Effect, two)
        assert found is not None
        assert found.value == "v"
    assert await value(runtime, "select count(*) from effects") == 2


async def test_rows_and_counts(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    async with runtime.database.transaction() as session:
        await copy(session, "effects", ["event_id", "key", "value"], [(uuid4(), "k", str(n)) for n in range(5)])
        assert await execute(session, "update effects set key = 'x' where value < '3'") == 3
        assert await execute(session, "select 1") == 1
        assert await execute(session, "notify nobody") == 0
        found = await fetch(session, "select value from effects where value = any($1) order by value", ["1", "4"])
        assert [row["value"] for row in found] == ["1", "4"]
        assert await fetch_one(session, "select 1 from effects where value = 'none'") is None
        assert await fetch_value(session, "select 1 from effects where value = 'none'") is None


async def test_a_connection_that_the_server_ended_is_not_taken_again(make_runtime: MakeRuntime) -> None:
    """As after a restart of the server: all that the pool has is closed, and no caller learns of it."""
    runtime = await make_runtime("probe")
    async with runtime.database.transaction() as session:
        connection = await driver(session)
    operator = await runtime.database.connect()
    try:
        await operator.execute("select pg_terminate_backend($1)", connection.get_server_pid())
    finally:
        await operator.close()

    async def noticed() -> bool:
        return bool(connection.is_closed())

    await eventually(noticed)
    assert await value(runtime, "select 1") == 1


async def test_keys_are_locked_until_the_transaction_ends(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe", lock_timeout_s=1)
    async with runtime.database.transaction() as holder:
        await lock_keys(holder, "project", ["a", "b", "a"])
        assert await takes(runtime, "project", ["c"])
        assert await takes(runtime, "contract", ["a"])
        assert not await takes(runtime, "project", ["b"])
        assert not await takes(runtime, "project", ["b"], shared=True)
    assert await takes(runtime, "project", ["a", "b"])


async def test_shared_locks_share(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe", lock_timeout_s=1)
    async with runtime.database.transaction() as holder:
        await lock_keys(holder, "project", ["a"], shared=True)
        await lock_keys(holder, "project", [])
        assert await takes(runtime, "project", ["a"], shared=True)
        assert not await takes(runtime, "project", ["a"])


async def takes(runtime: Runtime, kind: str, keys: list[str], *, shared: bool = False) -> bool:
    try:
        async with runtime.database.transaction() as session:
            await lock_keys(session, kind, keys, shared=shared)
    except asyncpg.LockNotAvailableError:
        return False
    return True


async def test_many_that_want_the_same_keys_never_wait_in_a_circle(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe", pool_size=8)
    keys = [f"key-{number}" for number in range(200)]

    async def take(wanted: list[str]) -> None:
        async with runtime.database.transaction() as session:
            await lock_keys(session, "project", wanted)

    # A deadlock would raise in one of them.
    await asyncio.gather(*(take(keys if number % 2 else keys[::-1]) for number in range(24)))


async def test_an_error_says_the_same_whichever_way_its_statement_went(make_runtime: MakeRuntime) -> None:
    """The line between waiting and setting a message aside must not depend on SQLAlchemy being in between."""
    runtime = await make_runtime("probe", lock_timeout_s=1, statement_timeout_s=1)
    one = uuid4()
    async with runtime.database.transaction() as holder:
        await execute(holder, INSERT, one)
    async with runtime.database.transaction() as holder:
        await execute(holder, "lock table effects in access exclusive mode")
        for error in await both(runtime, "select count(*) from effects"):
            assert timed_out(error)
            assert not is_deterministic(error)
    for error in await both(runtime, "select pg_sleep(3)"):
        assert timed_out(error)
    for error in await both(runtime, f"insert into effects values ('{one}', 'k', 'v')"):
        assert is_deterministic(error)
    for error in await both(runtime, "select no_such_thing"):
        assert not is_deterministic(error)
        assert not timed_out(error)


async def both(runtime: Runtime, sql: str) -> list[Exception]:
    """The errors of a statement that goes by the driver and by SQLAlchemy."""
    found: list[Exception] = []
    for by_driver in (True, False):
        try:
            async with runtime.database.transaction() as session:
                await (fetch(session, sql) if by_driver else session.execute(text(sql)))
        except Exception as error:
            found.append(error)
    assert len(found) == 2
    return found


async def test_sessions_have_time_outs_and_speak_utc(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    names = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "timezone", "application_name"]
    found = await rows(runtime, "select name, current_setting(name) as setting from unnest($1::text[]) name", names)
    assert [row["setting"] for row in found] == ["1min", "20s", "1min", "UTC", "proforma-probe-test"]


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), AttributeError("x"), RecursionError(), TypeError()])
def test_what_has_nothing_to_do_with_the_moment_fails_for_good(error: Exception) -> None:
    assert is_deterministic(error)
    assert not timed_out(error)


def test_what_an_outage_caused_is_an_outage() -> None:
    error = RuntimeError("cannot go on")
    error.__cause__ = ConnectionResetError("gone")
    assert not is_deterministic(error)
