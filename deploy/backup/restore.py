"""Puts a backup into four empty databases, and settles with Kafka what was said after it."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg

from backup.take import MOMENT, checksum
from backup.tools import BackupError, Databases, Tools, dump_of

_TABLES = "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'S')"

Call = Callable[..., Awaitable[str]]
"""`await call("invoicing", "restore", "list", "--json")`: `python -m invoicing restore list --json`; its output."""


async def restore(databases: Databases, folder: Path, tools: Tools) -> dict[str, Any]:
    """Fills the databases, which must exist and be empty, each in one transaction; returns the backup's moment.

    Raises BackupError before anything is written when a file is damaged or a database holds something.
    """
    moment: dict[str, Any] = json.loads((folder / MOMENT).read_text())
    told = moment["databases"]
    if told.keys() != databases.keys():
        raise BackupError(f"the backup has {sorted(told)}, asked for are {sorted(databases)}")
    for service, url in databases.items():
        if checksum(dump_of(folder, service)) != told[service]["sha256"]:
            raise BackupError(f"{dump_of(folder, service)} is not what was written")
        if await _tables(url):
            raise BackupError(f"the database of {service} is not empty: restore into a new one")
    await asyncio.gather(*(_fill(url, dump_of(folder, service), tools) for service, url in databases.items()))
    return moment


async def _tables(url: str) -> int:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return int(await connection.fetchval(_TABLES))
    finally:
        await connection.close()


async def _fill(url: str, dump: Path, tools: Tools) -> None:
    await tools.run("pg_restore", url, "--no-owner", "--exit-on-error", "--single-transaction", str(dump))


async def settle(services: list[str], call: Call, reason: str) -> dict[str, int]:
    """All are back at one moment: what each of them has said since takes effect nowhere; returns how much that was.

    Every list is told to everybody before anybody goes on, because who goes on reads on.
    """
    since: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for service in services:
            said = await call(service, "restore", "list", "--json")
            since[service] = len(json.loads(said))
            Path(folder, service).write_text(said)
        for service in services:
            for other in services:
                if other != service and since[other]:
                    await call(service, "restore", "ignore", str(Path(folder, other)), "--reason", reason)
        for service in services:
            await call(service, "restore", "accept", "--reason", reason)
    return since
