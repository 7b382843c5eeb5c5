"""A database and two logins for each service, in any PostgreSQL.

`<database>_owner` owns the database and its schema and runs the migrations. `<database>` is what
the service works with: it owns nothing, so that not even a mistake in the service can drop a
trigger that guards confirmed invoices. Its rights on tables come from the migrations.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from local.postgres import blocking

# Service → database. Package, database and login have the same name.
SERVICES: Mapping[str, str] = {
    "time-expense": "time_expense",
    "billing-backlog": "billing_backlog",
    "invoicing": "invoicing",
    "scheduler": "scheduler",
}
CONNECT_SECONDS = 10
BUILTIN_LOCALE_SINCE = 17


@dataclass(frozen=True)
class ServiceDatabase:
    """The two ways into a service's database."""

    name: str
    url: str
    owner_url: str


class Passwords:
    """Makes a password for each login once, and keeps them in a file where one is given."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._held: dict[str, str] = {}
        if path is not None and path.exists():
            self._held = json.loads(path.read_text())

    def of(self, login: str) -> str:
        if login not in self._held:
            self._held[login] = secrets.token_urlsafe(24)
            self._keep()
        return self._held[login]

    def _keep(self) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(self._held))
        fresh.replace(self.path)


def create_databases(
    superuser_url: str,
    passwords: Passwords | None = None,
    *,
    prefix: str = "",
    suffix: str = "",
) -> dict[str, ServiceDatabase]:
    """Create what is missing and give the URLs by service (`time-expense` …). Safe to repeat.

    Tests give a prefix or a suffix: names of databases and logins are shared by the whole server.
    """
    return blocking(create_databases_async(superuser_url, passwords, prefix=prefix, suffix=suffix))


async def create_databases_async(
    superuser_url: str,
    passwords: Passwords | None = None,
    *,
    prefix: str = "",
    suffix: str = "",
) -> dict[str, ServiceDatabase]:
    """As `create_databases`, where a loop is running."""
    passwords = passwords or Passwords()
    names = {service: f"{prefix}{name}{suffix}" for service, name in SERVICES.items()}
    connection = await _connect(superuser_url)
    try:
        # Roles belong to the whole server; two who alter the same one at once fail with "tuple
        # concurrently updated".
        await connection.execute("SELECT pg_advisory_lock(hashtext('proforma databases'))")
        for name in names.values():
            await _create_logins(connection, name, passwords)
            await _create_database(connection, name)
            await _hand_over_schema(with_database(superuser_url, name), name)
    finally:
        await connection.close()
    return {
        service: ServiceDatabase(
            name=name,
            url=with_login(superuser_url, name, name, passwords.of(name)),
            owner_url=with_login(superuser_url, name, f"{name}_owner", passwords.of(f"{name}_owner")),
        )
        for service, name in names.items()
    }


def drop_databases(superuser_url: str, names: Iterable[str]) -> None:
    """Drop databases and their logins, whoever is connected."""
    blocking(drop_databases_async(superuser_url, names))


async def drop_databases_async(superuser_url: str, names: Iterable[str]) -> None:
    """As `drop_databases`, where a loop is running."""
    connection = await _connect(superuser_url)
    try:
        for name in names:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await connection.execute(f'DROP ROLE IF EXISTS "{name}"')
            await connection.execute(f'DROP ROLE IF EXISTS "{name}_owner"')
    finally:
        await connection.close()


def with_database(url: str, database: str) -> str:
    """The same server and login, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def with_login(url: str, database: str, login: str, password: str) -> str:
    """The same server, another database and login."""
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(login, safe='')}:{quote(password, safe='')}@{address}"
    return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}"))


async def _connect(url: str) -> Any:
    return await asyncpg.connect(url, timeout=CONNECT_SECONDS)


async def _create_logins(connection: Any, name: str, passwords: Passwords) -> None:
    for login in (f"{name}_owner", name):
        known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", login)
        verb = "ALTER" if known else "CREATE"
        # The alphabet of token_urlsafe has no quote in it.
        await connection.execute(f"{verb} ROLE \"{login}\" LOGIN PASSWORD '{passwords.of(login)}'")
    if not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        # Who is not a superuser may only give a database to a role that it belongs to.
        await connection.execute(f'GRANT "{name}_owner" TO CURRENT_USER')


async def _create_database(connection: Any, name: str) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        # The same order of texts on every server, whatever its own locale is.
        locale = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
        if connection.get_server_version().major < BUILTIN_LOCALE_SINCE:
            locale = "LC_COLLATE 'C'"
        await connection.execute(
            f'CREATE DATABASE "{name}" OWNER "{name}_owner" TEMPLATE template0 ENCODING \'UTF8\' {locale}'
        )
    await connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    await connection.execute(f'GRANT CONNECT, TEMPORARY ON DATABASE "{name}" TO "{name}"')


async def _hand_over_schema(url: str, name: str) -> None:
    connection = await _connect(url)
    try:
        await connection.execute(f'ALTER SCHEMA public OWNER TO "{name}_owner"')
        await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await connection.execute(f'GRANT USAGE ON SCHEMA public TO "{name}"')
    finally:
        await connection.close()
