"""Migrations and table classes say the same, and the service's login owns nothing."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from invoicing.base import Base
from invoicing.claims import tables as _claims  # noqa: F401 - table classes register themselves
from invoicing.confirmation import tables as _confirmation  # noqa: F401
from invoicing.details import tables as _details  # noqa: F401
from invoicing.invoices import tables as _invoices  # noqa: F401
from tests.invoicing.claimed import Desk
from tests.support.databases import KERNEL_TABLES

OWNED = """
select relname from pg_class where relnamespace = 'public'::regnamespace and pg_has_role(relowner, 'usage')
union all
select proname from pg_proc where pronamespace = 'public'::regnamespace and pg_has_role(proowner, 'usage')
"""


async def test_tables_are_as_the_migrations_make_them(desk: Desk) -> None:
    async with desk.runtime.database.engine.connect() as connection:
        found = await connection.run_sync(_differences)
    assert found == []


async def test_the_service_owns_nothing(desk: Desk) -> None:
    assert await desk.sql(OWNED) == []


def _differences(connection: Connection) -> list[object]:
    def ours(_: object, name: str | None, kind: str, __: bool, ___: object) -> bool:
        return kind != "table" or name not in KERNEL_TABLES

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": ours})
    return list(compare_metadata(context, Base.metadata))
