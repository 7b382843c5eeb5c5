"""Migrations: one at a time, by their own login, and the service can only use what they made."""

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, pool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from local.databases import with_login
from proforma.db import Database, fetch
from proforma.migrations import LOCK, alembic_config, split_statements, upgrade
from proforma.revisions import newest_revision, revision_problem
from tests.conftest import MakeRuntime
from tests.support.databases import KERNEL_TABLES, PACKAGES, Databases, base_of, service_named
from tests.support.probe import SERVICE
from tests.support.processes import environment, process
from tests.support.rows import change, rows, value
from tests.support.waits import eventually


async def test_a_second_migrate_waits_for_the_first(databases: Databases) -> None:
    database = await databases.empty(SERVICE)
    try:
        first = await asyncpg.connect(database.owner_url)
        await first.execute("select pg_advisory_lock($1)", LOCK)
        second = asyncio.create_task(upgrade(database.owner_url, SERVICE.migrations, database.login))
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted and pid in (select pid from pg_stat_activity where datname = current_database())"  # noqa: E501

        async def waits() -> bool:
            return bool(await first.fetchval(waiting) == 1)

        await eventually(waits)
        assert await first.fetchval("select to_regclass('outbox')") is None
        await first.close()
        await second
    finally:
        await databases.drop(database.name)


async def test_three_at_once_all_succeed(databases: Databases) -> None:
    database = await databases.empty(SERVICE)
    try:
        await asyncio.gather(*(upgrade(database.owner_url, SERVICE.migrations, database.login) for _ in range(3)))
        connection = await asyncpg.connect(database.url)
        newest = newest_revision(SERVICE.migrations)
        assert await connection.fetchval("select version_num from alembic_version") == newest
        assert await connection.fetchval("select count(*) from database_identity") == 1
        await connection.close()
    finally:
        await databases.drop(database.name)


async def test_the_command_migrates_and_can_be_repeated(make_runtime: MakeRuntime, databases: Databases) -> None:
    database = await databases.empty(SERVICE)
    env = environment(
        await make_runtime("probe"), PROFORMA_DATABASE_URL=database.url,
        PROFORMA_MIGRATION_DATABASE_URL=database.owner_url,
    )  # fmt: skip
    try:
        async with process("tests.support.probe", "migrate", env) as first:
            assert await first.ended() == 0, first.output
        async with process("tests.support.probe", "migrate", env) as again:
            assert await again.ended() == 0, again.output
        connection = await asyncpg.connect(database.url)
        assert await connection.fetchval("select count(*) from outbox") == 0
        await connection.close()
    finally:
        await databases.drop(database.name)


async def test_a_fresh_database_is_not_ready(databases: Databases, make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("probe")
    assert await revision_problem(runtime.database, SERVICE.migrations) is None
    empty = await databases.empty(SERVICE)
    unmigrated = Database(runtime.settings.model_copy(update={"database_url": empty.url}), "test")
    try:
        assert await revision_problem(unmigrated, SERVICE.migrations) == (
            f"at revision None, this release needs {newest_revision(SERVICE.migrations)}: run migrate"
        )
    finally:
        await unmigrated.close()
        await databases.drop(empty.name)


def next_release(folder: Path, number: int, body: str, head: str = "") -> Path:
    """The probe's history with one revision more, as a release that comes later has it."""
    if not folder.exists():
        shutil.copytree(SERVICE.migrations, folder, ignore=shutil.ignore_patterns("__pycache__"))
    lines = [
        "from proforma.migrations import concurrently, execute_script",
        f'revision = "{number:04}"', f'down_revision = "{number - 1:04}"', head, "def upgrade():", f"    {body}",
    ]  # fmt: skip
    (folder / "versions" / f"{number:04}_next.py").write_text("\n".join(lines) + "\n")
    return folder


async def test_the_old_release_works_on_until_a_migration_ends_that(
    make_runtime: MakeRuntime, databases: Databases, tmp_path: Path
) -> None:
    runtime = await make_runtime("probe")
    name, login = (await rows(runtime, "select current_database(), current_user"))[0].values()
    owner = with_login(runtime.settings.database_url, name, f"{login}_owner", "test")
    (await databases.superuser(name)).terminate()  # the database is not to be lent again
    head = int(newest_revision(SERVICE.migrations))
    index = "create index concurrently effects_key_idx on effects (key)"
    expand = next_release(tmp_path / "next", head + 1, f'concurrently("{index}")')
    await upgrade(owner, expand, login)
    assert await value(runtime, "select indisvalid from pg_index where indexrelid = 'effects_key_idx'::regclass")
    assert await revision_problem(runtime.database, expand) is None
    assert await revision_problem(runtime.database, SERVICE.migrations) is None

    said = f'serves_from = "{head + 1:04}"'
    contract = next_release(tmp_path / "next", head + 2, 'execute_script("alter table effects rename to done")', said)
    newest_revision.cache_clear()
    await upgrade(owner, contract, login)
    why = await revision_problem(runtime.database, SERVICE.migrations)
    assert why == (
        f"at revision {head + 2:04}, which serves releases from {head + 1:04} on, and this one is {head:04}: deploy a"
        " newer release"
    )
    (contract / "versions" / f"{head + 2:04}_next.py").unlink()
    newest_revision.cache_clear()
    assert await revision_problem(runtime.database, contract) is None


async def test_a_migration_that_waits_for_a_lock_lets_the_others_go_on(
    make_runtime: MakeRuntime, databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proforma.migrations._LOCK_TIMEOUT_S", 1)
    runtime = await make_runtime("probe")
    name, login = (await rows(runtime, "select current_database(), current_user"))[0].values()
    owner = with_login(runtime.settings.database_url, name, f"{login}_owner", "test")
    (await databases.superuser(name)).terminate()
    head = int(newest_revision(SERVICE.migrations))
    later = next_release(tmp_path / "next", head + 1, 'execute_script("alter table effects add column more int")')
    async with runtime.database.transaction() as session:
        await fetch(session, "select * from effects")
        with pytest.raises(DBAPIError, match="lock timeout"):
            await upgrade(owner, later, login)
    assert await value(runtime, "select version_num from alembic_version") == f"{head:04}"
    await upgrade(owner, later, login)


@pytest.mark.parametrize("name", PACKAGES)
def test_alembic_agrees_about_the_newest_revision(name: str) -> None:
    folder = service_named(name).migrations
    assert newest_revision(folder) == ScriptDirectory.from_config(alembic_config(folder)).get_current_head()


def test_a_history_with_two_ends_is_refused(tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir()
    for number, before in (("0001", "None"), ("0002", "'0001'"), ("0003", "'0001'")):
        (tmp_path / "versions" / f"{number}.py").write_text(f'revision: str = "{number}"\ndown_revision = {before}\n')
    with pytest.raises(ValueError, match=r"0002.*0003"):
        newest_revision(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "drop table outbox",
        "alter table outbox disable trigger all",
        "create table mine (id int)",
        "truncate inbox",
        "update alembic_version set version_num = 'x'",
        "alter table jobs add column x int",
        "update database_identity set origin = gen_random_uuid()",
    ],
)
async def test_the_services_login_owns_nothing(make_runtime: MakeRuntime, statement: str) -> None:
    runtime = await make_runtime("probe")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await change(runtime, statement)


def test_scripts_are_cut_at_semicolons_outside_of_bodies() -> None:
    script = """
    -- a comment; with a semicolon
    create table a (id int);
    create function f() returns int language plpgsql as $$ begin return 1; end; $$;
    insert into a values (1);
    """
    statements = split_statements(script)
    assert len(statements) == 3
    assert "return 1; end;" in statements[1]
    assert split_statements("  ;; ") == []


@pytest.mark.parametrize("name", PACKAGES)
async def test_table_classes_equal_the_migrations(make_runtime: MakeRuntime, name: str) -> None:
    """What SQLModel believes and what the hand-written SQL made; the kernel's own tables have no classes."""
    runtime = await make_runtime(name)
    metadata = base_of(name).metadata
    assert metadata.tables
    engine = create_async_engine(
        runtime.settings.database_url.replace("postgresql://", "postgresql+asyncpg://"), poolclass=pool.NullPool
    )
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences, metadata) == []
    finally:
        await engine.dispose()


def differences(connection: Connection, metadata: MetaData) -> list[object]:
    def is_ours(one: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
        # Indexes and checks belong to the migrations alone: the classes are for reading and writing rows.
        return kind in {"table", "column"} and not (kind == "table" and reflected and name in KERNEL_TABLES)

    options = {"compare_type": True, "include_object": is_ours}
    context = MigrationContext.configure(connection, opts=options)
    return [one for one in compare_metadata(context, metadata) if not is_about_constraints(one)]


def is_about_constraints(difference: object) -> bool:
    return isinstance(difference, tuple) and str(difference[0]).endswith(("_constraint", "_index", "_fk"))


@pytest.mark.parametrize("name", PACKAGES)
async def test_every_table_of_a_service_can_be_read_by_its_login(make_runtime: MakeRuntime, name: str) -> None:
    runtime = await make_runtime(name)
    tables = await rows(
        runtime,
        "select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'public' and c.relkind in ('r', 'v') order by 1",
    )
    assert KERNEL_TABLES | {"waiting", "kernel_waiting"} <= {row["name"] for row in tables}
    for row in tables:
        assert await value(runtime, f'select count(*) from "{row["name"]}"') >= 0


@pytest.mark.parametrize("name", PACKAGES)
async def test_what_waits_has_the_columns_of_the_api(make_runtime: MakeRuntime, name: str) -> None:
    runtime = await make_runtime(name)
    columns = await rows(
        runtime,
        "select a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type from pg_attribute a"
        " where a.attrelid = 'waiting'::regclass and a.attnum > 0 order by a.attnum",
    )
    assert [(column["name"], column["type"]) for column in columns] == [
        ("kind", "text"), ("id", "text"), ("since", "timestamp with time zone"), ("detail", "text"),
    ]  # fmt: skip
    assert service_named(name).name == name
