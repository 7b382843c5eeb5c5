"""The database: engine, one transaction at the edge, and asyncpg itself where sets of rows move."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
from sqlalchemy import AsyncAdaptedQueuePool, MetaData, event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from proforma.settings import ServiceSettings

NAMING = {
    "pk": "%(table_name)s_pkey",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
}
"""PostgreSQL's own naming of constraints, so that hand-written migrations and table classes agree."""


def new_metadata() -> MetaData:
    """Metadata of one service: two services may both have a table of the same name."""
    return MetaData(naming_convention=NAMING)


class Database:
    """One service's database, by its own login. `transaction()` is the only way to a session."""

    connection_class: type[asyncpg.Connection] = asyncpg.Connection
    """How its connections are made; tests put one in that watches every statement."""

    def __init__(self, settings: ServiceSettings, role: str) -> None:
        self.url = settings.database_url
        self._server_settings = {
            "application_name": f"proforma-{role}",
            "statement_timeout": f"{settings.statement_timeout_s}s",
            # Without it one forgotten transaction would hold its locks, and with them everybody's work, for ever.
            "lock_timeout": f"{settings.lock_timeout_s}s",
            "idle_in_transaction_session_timeout": f"{settings.idle_in_transaction_timeout_s}s",
            "timezone": "UTC",
            # Compiling a statement takes longer than any of ours runs.
            "jit": "off",
            # A plan that is kept for any values takes every list for ten long and every filter for narrow: wrong by
            # orders for our batches. Planning anew costs a fraction of a millisecond.
            "plan_cache_mode": "force_custom_plan",
        }
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            # asyncpg reads the URL itself: SQLAlchemy would hand on sslmode and its like as words that asyncpg refuses.
            async_creator=self.connect,
            pool_size=settings.pool_size,
            max_overflow=settings.pool_size,
            pool_timeout=settings.pool_wait_s,
        )
        event.listen(self.engine.sync_engine, "checkout", _leave_what_is_closed)
        self._connections_max = 2 * settings.pool_size
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction: commits when the block ends, rolls back when it raises. `service.py` never commits."""
        async with self._sessions() as session, session.begin():
            yield session

    async def connect(self, **server_settings: str) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection; outside of the pool, for LISTEN and for locks that outlive a transaction."""
        return await asyncpg.connect(
            self.url,
            server_settings={**self._server_settings, **server_settings},
            timeout=10,
            connection_class=self.connection_class,
        )

    def pool(self) -> tuple[int, int]:
        """How many connections of the pool are in use, and how many may be at once."""
        pool = cast("AsyncAdaptedQueuePool", self.engine.pool)
        return pool.checkedout(), self._connections_max

    async def close(self) -> None:
        await self.engine.dispose()


def _leave_what_is_closed(connection: Any, *_: object) -> None:
    """Makes the pool connect anew where the server has gone or was restarted.

    The socket's end tells that as soon as it comes. SQLAlchemy's ping would ask the server, at the cost of three round
    trips for every transaction, which is half of what a short one takes.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError


async def driver(session: AsyncSession) -> "asyncpg.Connection[asyncpg.Record]":
    """asyncpg's connection of this session, inside the session's transaction.

    SQLAlchemy's adapter begins the transaction with its first statement; one that went straight to asyncpg
    before that would commit on its own.
    """
    if "driver" not in session.info:
        connection = await session.connection()
        await connection.execute(text("select 1"))
        session.info["driver"] = (await connection.get_raw_connection()).driver_connection
    return cast("asyncpg.Connection[asyncpg.Record]", session.info["driver"])


async def fetch(session: AsyncSession, sql: str, *args: Any) -> list[asyncpg.Record]:
    """Rows of one statement in PostgreSQL's own dialect (`$1`, arrays as lists)."""
    rows: list[asyncpg.Record] = await (await driver(session)).fetch(sql, *args)
    return rows


async def fetch_one(session: AsyncSession, sql: str, *args: Any) -> asyncpg.Record | None:
    """The first row, or None."""
    return await (await driver(session)).fetchrow(sql, *args)


async def fetch_value(session: AsyncSession, sql: str, *args: Any) -> Any:
    """The first column of the first row, or None."""
    return await (await driver(session)).fetchval(sql, *args)


async def execute(session: AsyncSession, sql: str, *args: Any) -> int:
    """Runs one statement; returns how many rows it touched."""
    status = await (await driver(session)).execute(sql, *args)
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0


async def copy(session: AsyncSession, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """COPYs rows into a table: 13 µs a row where executemany takes 47."""
    await (await driver(session)).copy_records_to_table(table, columns=list(columns), records=rows)


async def lock_keys(session: AsyncSession, kind: str, keys: Iterable[str], *, shared: bool = False) -> None:
    """Advisory locks on (kind, key) until the transaction ends, taken in sorted order.

    Sorted, because two transactions that take the same two keys in different orders would wait for each other.
    """
    wanted = sorted(set(keys))
    if not wanted:
        return
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    await execute(
        session,
        f"select {function}(h) from (select distinct hashtextextended($1 || ':' || k, 0) h"
        " from unnest($2::text[]) k order by 1) keys",
        kind,
        wanted,
    )
