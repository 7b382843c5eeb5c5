"""Looking into a service's database, and changing it behind the service's back, in one line."""

from typing import Any

from proforma.db import execute, fetch
from proforma.runtime import Runtime
from tests.support.waits import eventually

POSTED = "substr(id::text, 15, 1) = '5', id"
"""Orders rows as they were posted. What is left over of an earlier row has a derived id (UUIDv5), which tells no time:
by id alone it would come first once in some 160 runs."""

_WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


async def rows(runtime: Runtime, sql: str, *args: Any) -> list[dict[str, Any]]:
    """The rows of a query."""
    async with runtime.database.transaction() as session:
        return [dict(row) for row in await fetch(session, sql, *args)]


async def value(runtime: Runtime, sql: str, *args: Any) -> Any:
    """The first column of the only row."""
    (row,) = await rows(runtime, sql, *args)
    return next(iter(row.values()))


async def change(runtime: Runtime, sql: str, *args: Any) -> int:
    """Runs one statement and commits; returns how many rows it touched."""
    async with runtime.database.transaction() as session:
        return await execute(session, sql, *args)


async def locks_awaited(runtime: Runtime, sessions: int = 1) -> None:
    """Waits until this many sessions of the service's database wait for a lock that somebody holds."""

    async def waiting() -> bool:
        return bool(await value(runtime, _WAITING) >= sessions)

    await eventually(waiting)
