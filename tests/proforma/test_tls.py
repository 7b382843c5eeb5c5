"""A database URL that asks for TLS gets TLS or no connection, from the pool, beside it, and for migrations."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from proforma.db import Database
from proforma.migrations import upgrade
from proforma.settings import ServiceSettings

SSL_REQUEST = struct.pack(">ii", 8, 80877103)
MIGRATIONS = Path(__file__).parents[1] / "support/probe_migrations"


@pytest.fixture
async def asked() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server's port and the first eight bytes of each client. It says that it has no TLS, and hangs up."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readexactly(8))
        writer.write(b"N")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


def database(url: str) -> Database:
    return Database(
        ServiceSettings(
            database_url=url, kafka="127.0.0.1:1", auth_issuer="i", auth_audience="a", auth_jwks_url="http://127.0.0.1"
        ),
        "test",
    )


async def by_pool(url: str) -> None:
    opened = database(url)
    try:
        async with opened.transaction() as session:
            await session.execute(text("select 1"))
    finally:
        await opened.close()


async def beside_the_pool(url: str) -> None:
    await database(url).connect()


async def by_migration(url: str) -> None:
    await upgrade(url, MIGRATIONS, "nobody")


@pytest.mark.parametrize("connect", [by_pool, beside_the_pool, by_migration])
async def test_without_tls_there_is_no_connection(
    asked: tuple[int, list[bytes]], connect: Callable[[str], Awaitable[None]]
) -> None:
    port, heard = asked
    with pytest.raises(ConnectionError, match="SSL"):
        await connect(f"postgresql://one:secret@127.0.0.1:{port}/none?sslmode=require")
    assert heard == [SSL_REQUEST]


@pytest.mark.parametrize("connect", [by_pool, beside_the_pool, by_migration])
async def test_a_ca_that_is_not_there_is_said(connect: Callable[[str], Awaitable[None]], tmp_path: Path) -> None:
    missing = tmp_path / "ca.crt"
    with pytest.raises(OSError, match=r"No such file|ca\.crt"):
        await connect(f"postgresql://one@127.0.0.1:1/none?sslmode=verify-full&sslrootcert={missing}")
