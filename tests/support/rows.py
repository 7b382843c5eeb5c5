"""Looking into a service's database, and changing it behind the service's back, in one line."""

from typing import Any

from proforma.db import execute, fetch
from proforma.runtime import Runtime


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
