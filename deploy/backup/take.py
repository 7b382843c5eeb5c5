"""Takes a backup of all four databases at one moment, while the services work.

One moment means: no event has taken effect in one backup that its producer's backup has not said. Each database is
read by a snapshot of its own; between the first and the last of the four no event takes effect anywhere, because
nobody can move a position meanwhile. That holds consumers up for some milliseconds, and nobody else.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from backup.tools import BackupError, Databases, Tools, dump_of

MOMENT = "moment.json"
_LOCK_TIMEOUT_S = 20
_FACTS = """
select (select version_num from alembic_version) as revision, (select origin::text from database_identity) as origin,
  (select coalesce(max(id), 0) from outbox) as outbox_id
"""


async def take(databases: Databases, folder: Path, tools: Tools) -> dict[str, Any]:
    """Writes a dump for each service into `folder`, which must be new, and `moment.json`; returns what that says.

    Raises BackupError, and leaves nothing under that name then.
    """
    if folder.exists():
        raise BackupError(f"{folder} is there already")
    half = folder.with_name(f"{folder.name}.half")
    half.mkdir(parents=True, mode=0o700)
    try:
        async with snapshots(databases) as found:
            taken_at = datetime.now(UTC)
            dumps = (_dump(databases[service], half, service, one["snapshot"], tools) for service, one in found.items())
            await asyncio.gather(*dumps)
        told = {service: {**_known(one), "sha256": checksum(dump_of(half, service))} for service, one in found.items()}
        moment = {"taken_at": taken_at.isoformat(), "databases": told}
        (half / MOMENT).write_text(json.dumps(moment, indent=2) + "\n")
        half.rename(folder)
    except BaseException:
        for file in half.glob("*"):
            file.unlink()
        half.rmdir()
        raise
    return moment


@asynccontextmanager
async def snapshots(databases: Databases) -> AsyncIterator[Mapping[str, Mapping[str, Any]]]:
    """A snapshot of each database, all of one moment, as long as the block lasts."""
    async with AsyncExitStack() as kept:
        readers = {service: await _connected(kept, url) for service, url in databases.items()}
        async with AsyncExitStack() as held:
            for url in databases.values():
                await _hold_positions(await _connected(held, url))
            found = {service: await _snapshot(reader) for service, reader in readers.items()}
        yield found


async def _connected(stack: AsyncExitStack, url: str) -> Any:
    connection = await asyncpg.connect(url, timeout=10)
    stack.push_async_callback(connection.close)
    return connection


async def _hold_positions(connection: Any) -> None:
    """Until the connection ends nobody moves a position; waits for those who are about to."""
    await connection.execute(f"begin; set local lock_timeout = '{_LOCK_TIMEOUT_S}s'")
    try:
        await connection.execute("lock table consumed in share mode")
    except asyncpg.LockNotAvailableError as error:
        raise BackupError(f"a batch has been at work for {_LOCK_TIMEOUT_S} s; nothing is taken, try again") from error


async def _snapshot(connection: Any) -> dict[str, Any]:
    await connection.execute("begin isolation level repeatable read read only")
    snapshot = await connection.fetchval("select pg_export_snapshot()")
    return {"snapshot": snapshot, **dict(await connection.fetchrow(_FACTS))}


def _known(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name != "snapshot"}


async def _dump(url: str, folder: Path, service: str, snapshot: str, tools: Tools) -> None:
    # Without owners: whoever restores is the owner. With rights: they are what the service's login may do.
    await tools.run(
        "pg_dump", url, "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={dump_of(folder, service)}"
    )


def checksum(file: Path) -> str:
    """SHA-256 of a file, in hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
