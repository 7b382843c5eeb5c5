"""Each service has a database of its own, and a login there that owns nothing."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from local.backend import Backend
from local.databases import (
    SERVICES,
    Passwords,
    ServiceDatabase,
    create_databases_async,
    drop_databases_async,
    with_database,
    with_login,
)


@pytest.fixture(scope="module")
async def made(backend: Backend) -> AsyncIterator[dict[str, ServiceDatabase]]:
    databases = await create_databases_async(backend.postgres, prefix=f"t{secrets.token_hex(4)}_")
    yield databases
    await drop_databases_async(backend.postgres, [database.name for database in databases.values()])


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def test_every_service_has_one(made: dict[str, ServiceDatabase]) -> None:
    assert made.keys() == SERVICES.keys()
    assert len({database.name for database in made.values()}) == len(SERVICES)


async def test_the_owner_makes_tables_and_the_service_uses_what_it_is_given(made: dict[str, ServiceDatabase]) -> None:
    database = made["invoicing"]
    await _execute(database.owner_url, "CREATE TABLE t (x int)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _execute(database.url, "SELECT * FROM t")
    await _execute(database.owner_url, f'GRANT SELECT, INSERT ON t TO "{database.name}"')
    await _execute(database.url, "INSERT INTO t VALUES (1)")
    for forbidden in (
        "CREATE TABLE u (x int)",
        "DROP TABLE t",
        "UPDATE t SET x = 2",
        "ALTER TABLE t DISABLE TRIGGER ALL",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _execute(database.url, forbidden)


async def test_no_service_gets_into_the_database_of_another(made: dict[str, ServiceDatabase]) -> None:
    mine, other = made["invoicing"], made["scheduler"]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _execute(with_database(mine.url, other.name), "SELECT 1")


async def test_once_more_changes_nothing(backend: Backend, tmp_path: Path) -> None:
    suffix = f"_{secrets.token_hex(4)}"
    kept = tmp_path / "passwords.json"
    first = await create_databases_async(backend.postgres, Passwords(kept), suffix=suffix)
    try:
        await _execute(first["scheduler"].owner_url, "CREATE TABLE kept (x int)")
        again = await create_databases_async(backend.postgres, Passwords(kept), suffix=suffix)
        assert again == first
        await _execute(again["scheduler"].owner_url, "SELECT * FROM kept")
        assert kept.stat().st_mode & 0o077 == 0, "nobody else reads the passwords"
    finally:
        await drop_databases_async(backend.postgres, [database.name for database in first.values()])


def test_what_a_url_says_besides_is_kept() -> None:
    url = with_login("postgresql://root:p%40ss@db.example:6000/postgres?sslmode=require", "x", "a b", "q/r")
    assert url == "postgresql://a%20b:q%2Fr@db.example:6000/x?sslmode=require"
