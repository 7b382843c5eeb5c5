"""Migrations and table classes of schedules and triggers say the same."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from billing_backlog.contracts import tables as _contracts  # noqa: F401 - a foreign key needs its other end
from billing_backlog.schedules.tables import InvoiceSchedule, ScheduleException, ScheduleRow
from billing_backlog.triggers.tables import WaitingTrigger
from proforma.runtime import Runtime

OURS = {str(table.__tablename__) for table in (InvoiceSchedule, ScheduleRow, ScheduleException, WaitingTrigger)}


async def test_tables_are_as_the_migrations_make_them(runtime: Runtime) -> None:
    async with runtime.database.engine.connect() as connection:
        found = await connection.run_sync(_differences)
    assert found == []


def _differences(connection: Connection) -> list[object]:
    def ours(_: object, name: str | None, kind: str, __: bool, ___: object) -> bool:
        return kind != "table" or name in OURS

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": ours})
    return list(compare_metadata(context, InvoiceSchedule.metadata))
