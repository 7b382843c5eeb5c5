"""An empty database for every test: a clone of its service's template, migrated once a run, emptied and lent again."""

import asyncio
import importlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from sqlmodel import SQLModel

from local.databases import with_database, with_login
from proforma.db import Database
from proforma.known import MARK
from proforma.migrations import upgrade
from proforma.service import Service
from proforma.settings import ServiceSettings
from tests.support.connections import KeptDatabase, kind_of

PACKAGES = {
    "time-expense": "time_expense",
    "billing-backlog": "billing_backlog",
    "invoicing": "invoicing",
    "scheduler": "scheduler",
    "probe": "tests.support.probe",
}
"""Service → package. `probe` is the kernel alone, with one table to see effects in."""

KERNEL_TABLES = {
    "outbox", "inbox", "consumed", "dead_letters", "idempotency_keys", "jobs", "job_targets", "job_problems",
    "database_identity", "alembic_version", "interventions", "restores",
}  # fmt: skip
"""What the kernel keeps for itself in every service's database."""

_PASSWORD = "test"

# Most tests leave a few rows in a few tables: deleting them costs a hundredth of another CREATE DATABASE, which copies
# every file and forces a checkpoint. As a replica no trigger fires, so that the append-only tables let go of theirs.
_END_OTHERS = """
select pg_terminate_backend(pid, 10000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and pid <> all($1::int[])
"""
_EMPTY = """
do $$
declare
  one record;
begin
  set local session_replication_role = replica;
  for one in
    select oid::regclass as name, pg_relation_size(oid) as bytes from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r' and pg_relation_size(oid) > 0
      and relname not in ('alembic_version', 'database_identity')
  loop
    if one.bytes > 1000000 then
      execute format('truncate %s cascade', one.name);
    else
      execute format('delete from %s', one.name);
    end if;
    -- What the server has learnt of this test's rows would be wrong of the next one's.
    update pg_class set relpages = 0, reltuples = -1 where oid = one.name and reltuples >= 0;
    delete from pg_statistic where starelid = one.name;
  end loop;
  perform setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) from pg_sequences
    where last_value is not null;
end $$
"""


# As after a worker has compared it with its topics: most tests have an api and no worker.
_FORGET = "update database_identity set purged_to = 0"


def service_named(name: str) -> Service:
    """The service's own description of itself, as `python -m <package>` uses it."""
    package = PACKAGES[name]
    module = importlib.import_module(package if name == "probe" else f"{package}.__main__")
    service: Service = module.SERVICE
    return service


def base_of(name: str) -> type[SQLModel]:
    """The class that all of the service's tables derive from, with every noun's tables loaded."""
    service_named(name)
    package = PACKAGES[name]
    if name != "probe":
        root = Path(importlib.import_module(package).__path__[0])
        for file in sorted(root.rglob("tables.py")):
            importlib.import_module(".".join([package, *file.relative_to(root).with_suffix("").parts]))
    module = importlib.import_module(package if name == "probe" else f"{package}.base")
    base: type[SQLModel] = module.Base
    return base


@dataclass(frozen=True)
class LentDatabase:
    """One clone: the service's own login, which owns nothing, and the login that runs migrations."""

    name: str
    login: str
    url: str
    owner_url: str


class Databases:
    """Templates and clones of one test run on one server. Every process of the run has one, on its own connection."""

    def __init__(self, superuser_url: str, run: str, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._url = superuser_url
        self._run = run
        self._connection = connection
        self._one_at_a_time = asyncio.Lock()
        self._templates: dict[str, str] = {}
        self._free: dict[str, list[LentDatabase]] = {}
        self._spoiled: set[str] = set()
        self._kept: dict[str, dict[tuple[object, ...], KeptDatabase]] = {}
        self._superusers: dict[str, asyncpg.Connection[asyncpg.Record]] = {}

    async def lend(self, service: Service) -> LentDatabase:
        """An empty database with the newest revision of `service`; it is to be given back."""
        async with self._one_at_a_time:
            if service.name not in self._templates:
                self._templates[service.name] = await self._template(service)
            template = self._templates[service.name]
            free = self._free.setdefault(service.name, [])
            if free:
                return free.pop()
            name = f"{template}_{uuid.uuid4().hex[:12]}"
            # Copying files takes half the time of writing every page through the log, where nothing is synced.
            await self._connection.execute(
                f'create database "{name}" template "{template}" owner "{template}_owner" strategy file_copy'
            )
        made = self._database(name, template)
        await self._inside(made, MARK)
        return made

    async def give_back(self, service: Service, database: LentDatabase) -> None:
        """Empties it for the next test; drops one that a test has handled as its superuser, or has closed."""
        kept = self._kept.get(database.name, {})
        if database.name in self._spoiled:
            for one in self._kept.pop(database.name, {}).values():
                await one.end()
            await self.drop(database.name)
            return
        mine = [pid for one in kept.values() for pid in await one.idle()]
        await self._end_others(database, mine)
        await self._inside(database, _EMPTY, _FORGET, MARK)
        self._free[service.name].append(database)

    async def wipe(self, database: LentDatabase) -> None:
        """Empties it for whoever has it, who does nothing else meanwhile."""
        await self._inside(database, _EMPTY)

    def kept(self, service: Service, database: LentDatabase, settings: ServiceSettings) -> Database:
        """The service's connections to it, as `settings` would have them."""
        kind = kind_of(settings)
        of_kind = self._kept.setdefault(database.name, {})
        if kind not in of_kind:
            of_kind[kind] = KeptDatabase(settings, f"{service.name}-test")
        return of_kind[kind]

    async def end(self) -> None:
        """Closes whatever is connected."""
        for one in [one for of_kind in self._kept.values() for one in of_kind.values()]:
            await one.end()
        for connection in self._superusers.values():
            connection.terminate()

    async def _end_others(self, database: LentDatabase, but: Sequence[int]) -> None:
        await (await self._superuser(database)).execute(_END_OTHERS, but)

    async def _inside(self, database: LentDatabase, *statements: str) -> None:
        connection = await self._superuser(database)
        for statement in statements:
            await connection.execute(statement)

    async def _superuser(self, database: LentDatabase) -> "asyncpg.Connection[asyncpg.Record]":
        connection = self._superusers.get(database.name)
        if connection is None or connection.is_closed():
            connection = await asyncpg.connect(with_database(self._url, database.name))
            self._superusers[database.name] = connection
        return connection

    async def empty(self, service: Service) -> LentDatabase:
        """A database that no migration has touched, with the service's two logins."""
        login = f"{self._run}_{service.name}_empty".replace("-", "_")
        async with self._one_at_a_time:
            await self._logins(login)
            name = f"{login}_{uuid.uuid4().hex[:12]}"
            await self._create(name, login)
        return self._database(name, login)

    async def drop(self, name: str) -> None:
        """Drops a database, whoever is connected."""
        async with self._one_at_a_time:
            await self._connection.execute(f'drop database if exists "{name}" with (force)')

    async def close(self, name: str) -> None:
        """Plays a database that is away: cuts its connections and lets nobody in."""
        self._spoiled.add(name)
        async with self._one_at_a_time:
            await self._connection.execute(f'alter database "{name}" allow_connections false')
            await self._connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name
            )

    async def open(self, name: str) -> None:
        """The database is back."""
        async with self._one_at_a_time:
            await self._connection.execute(f'alter database "{name}" allow_connections true')

    async def back_up(self, database: LentDatabase) -> str:
        """A copy of the database as it is now; whoever is connected is cut off for it. Returns the copy's name."""
        copy = f"{database.name}_backup"
        async with self._one_at_a_time:
            await self._connection.execute(f'drop database if exists "{copy}"')
        await self._end_others(database, [])
        (await self._superuser(database)).terminate()
        async with self._one_at_a_time:
            await self._connection.execute(f'create database "{copy}" template "{database.name}" strategy file_copy')
        return copy

    async def restore(self, database: LentDatabase, copy: str) -> None:
        """Puts the copy in the database's place, as an operator would from a backup."""
        self._spoiled.add(database.name)
        await self.drop(database.name)
        async with self._one_at_a_time:
            await self._connection.execute(
                f'create database "{database.name}" template "{copy}" owner "{database.login}_owner" strategy file_copy'
            )

    async def empty_again(self, database: LentDatabase) -> None:
        """In its place a database without anything, of the same name and logins."""
        self._spoiled.add(database.name)
        await self.drop(database.name)
        async with self._one_at_a_time:
            await self._create(database.name, database.login)

    async def superuser(self, name: str) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection that may do everything, for tests that play the operator or the disaster."""
        self._spoiled.add(name)
        return await asyncpg.connect(with_database(self._url, name))

    def _database(self, name: str, login: str) -> LentDatabase:
        return LentDatabase(
            name,
            login,
            with_login(self._url, name, login, _PASSWORD),
            with_login(self._url, name, f"{login}_owner", _PASSWORD),
        )

    async def _template(self, service: Service) -> str:
        """Makes the template unless another process of this run has; they meet at an advisory lock."""
        name = f"{self._run}_{service.name}".replace("-", "_")
        await self._connection.execute("select pg_advisory_lock(hashtext($1))", name)
        try:
            done = await self._connection.fetchval("select not datallowconn from pg_database where datname = $1", name)
            if done is None:
                await self._logins(name)
                await self._create(name, name)
            if not done:
                database = self._database(name, name)
                await upgrade(database.owner_url, service.migrations, name)
                # Nobody may be connected to a template while it is cloned.
                await self._connection.execute(f'alter database "{name}" allow_connections false')
        finally:
            await self._connection.execute("select pg_advisory_unlock(hashtext($1))", name)
        return name

    async def _logins(self, name: str) -> None:
        await self._connection.execute("select pg_advisory_lock(hashtext('logins'))")
        try:
            for login in (f"{name}_owner", name):
                if not await self._connection.fetchval("select 1 from pg_roles where rolname = $1", login):
                    await self._connection.execute(f"create role \"{login}\" login password '{_PASSWORD}'")
        finally:
            await self._connection.execute("select pg_advisory_unlock(hashtext('logins'))")

    async def _create(self, name: str, login: str) -> None:
        """As local.databases makes a service's database: the owner has the schema, the service may only use it."""
        await self._connection.execute(f'create database "{name}" owner "{login}_owner" template template0')
        inside = await self.superuser(name)
        try:
            await inside.execute(f'alter schema public owner to "{login}_owner"')
            await inside.execute("revoke all on schema public from public")
            await inside.execute(f'grant usage on schema public to "{login}"')
        finally:
            await inside.close()


async def sweep(superuser_url: str, run: str) -> None:
    """Drops every database and login of a run."""
    connection = await asyncpg.connect(superuser_url)
    try:
        for row in await connection.fetch("select datname from pg_database where starts_with(datname, $1)", f"{run}_"):
            await connection.execute(f'drop database if exists "{row["datname"]}" with (force)')
        for row in await connection.fetch("select rolname from pg_roles where starts_with(rolname, $1)", f"{run}_"):
            await connection.execute(f'drop role if exists "{row["rolname"]}"')
    finally:
        await connection.close()
