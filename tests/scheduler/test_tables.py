"""Migrations and table classes say the same."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from scheduler.base import Base
from scheduler.pauses import tables as _pauses  # noqa: F401 - table classes register themselves
from scheduler.schedules import tables as _schedules  # noqa: F401
from scheduler.triggers import tables as _triggers  # noqa: F401
from tests.conftest import MakeRuntime
from tests.support.databases import KERNEL_TABLES


async def test_tables_are_as_the_migrations_make_them(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("scheduler")
    async with runtime.database.engine.connect() as connection:
        found = await connection.run_sync(_differences)
    assert found == []


def _differences(connection: Connection) -> list[object]:
    def ours(_: object, name: str | None, kind: str, __: bool, ___: object) -> bool:
        return kind != "table" or name not in KERNEL_TABLES

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": ours})
    return list(compare_metadata(context, Base.metadata))
