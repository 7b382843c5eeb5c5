"""The tables as the migrations make them: those of the classes, no more, with the rights that they need."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from proforma.db import execute, fetch_value
from proforma.runtime import Runtime
from tests.support.api import Api
from tests.time_expense.approvals.transitions import brought
from tests.time_expense.work import ENTRIES, expense, made, person, pm
from time_expense.base import Base
from time_expense.entries import tables as _entries  # noqa: F401 - table classes register themselves
from time_expense.uploads import tables as _uploads  # noqa: F401

OWN = {"entries", "entry_history", "upload_pieces"}


@pytest.fixture
async def runtime(make_runtime: Callable[[str], Awaitable[Runtime]]) -> Runtime:
    return await make_runtime("time-expense")


def compared(connection: Connection) -> list[object]:
    def ours(name: str | None, kind: str, parents: object) -> bool:
        return kind != "table" or name in OWN

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": ours})
    return list(compare_metadata(context, Base.metadata))


async def test_the_classes_say_what_the_migrations_make(runtime: Runtime) -> None:
    assert set(Base.metadata.tables) == OWN
    async with runtime.database.engine.connect() as connection:
        assert await connection.run_sync(compared) == []


async def test_history_cannot_be_changed_by_the_service(api: Callable[[str], Awaitable[Api]]) -> None:
    client = await api("time-expense")
    [entry] = await made(client)
    for statement in ("update entry_history set by = 'eve'", "delete from entry_history", "drop table entry_history"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with client.runtime.database.transaction() as session:
                await execute(session, statement)
    history = (await pm(client).get(f"{ENTRIES}/{entry['id']}/history")).json()["items"]
    assert [row["by"] for row in history] == ["ada"]


async def test_the_database_itself_holds_what_an_entry_is(api: Callable[[str], Awaitable[Api]]) -> None:
    client = await api("time-expense")
    await made(client)
    for broken in (
        "quantity = 24.01",
        "quantity = 0",
        "role = null",
        "class = 'expense'",
        "class = 'fee'",
        "unit = 'day'",
        "category = 'travel'",
        "product = 'X'",
        "write_in = 'x'",
        "unit_cost = 1",
        "currency = 'EUR'",
        "status = 'submitted'",
        "status = 'approved', submitted_by = 'a', decided_by = 'b'",
        "status = 'approved', submitted_by = 'a', decided_by = 'b', billable_quantity = 8",
        "status = 'rejected', submitted_by = 'a'",
        "billable_quantity = 8",
        "billing_type = 'free'",
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            async with client.runtime.database.transaction() as session:
                await execute(session, f"update entries set {broken}")


BROKEN = {
    "expense": (
        "unit_cost = -0.01", "unit_cost = 1000000000.01", "unit_cost = 0.00001", "currency = 'eur'",
        "quantity = 1000000.01", "class = 'material'",
    ),
    "approved": (
        "status = 'cancellation_requested'", "request_id = gen_random_uuid()", "asked_by = 'a'",
        "asked_reason = 'x', asked_at = now()", "answer_outcome = 'reversed'", "answer_outcome = 'denied'",
        "answer_reason = 'x'", "answer_invoice_id = gen_random_uuid()",
    ),
    "cancellation_requested": (
        "asked_reason = null", "asked_at = null", "asked_by = null", "request_id = null", "status = 'approved'",
        "status = 'submitted'", "decided_by = null", "billable_quantity = null", "revision = 0",
        "answer_outcome = 'refused'", "answer_outcome = 'reversed'",
    ),
    "reversed": ("answer_outcome = 'refused'", "answer_outcome = null, answer_reason = 'x'"),
}  # fmt: skip


@pytest.mark.parametrize("way", BROKEN)
async def test_the_database_itself_holds_what_a_class_and_a_cancellation_are(
    way: str, api: Callable[[str], Awaitable[Api]]
) -> None:
    client = await api("time-expense")
    if way == "expense":
        assert (await person(client).post(ENTRIES, json=expense())).status_code == 201
    else:
        await brought(client, way)
    for broken in BROKEN[way]:
        with pytest.raises(asyncpg.CheckViolationError):
            async with client.runtime.database.transaction() as session:
                await execute(session, f"update entries set {broken}")


async def test_what_waits_here_is_what_waits_in_every_service(runtime: Runtime) -> None:
    async with runtime.database.transaction() as session:
        await execute(
            session,
            "insert into jobs (id, kind, status, params, created_by, created_at, progressed_at)"
            " values (gen_random_uuid(), 'entries.import', 'queued', '{}', 'pm', now(), now())",
        )
        assert await fetch_value(session, "select string_agg(kind, ',') from waiting") == "job"
