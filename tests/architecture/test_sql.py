"""SQL is made of our own constants; every value that comes from outside is bound, never written into the text."""

import ast
from pathlib import Path

import pytest

from tests.architecture.source import KERNEL, named, service_files, tree_of
from tests.architecture.sql_text import Module

# These take the statement from their caller, or make it from the names of tables in a migration.
KERNEL_OWN = {"db.py", "migrations.py"}


def files() -> list[Path]:
    return [*service_files(), *(file for file in KERNEL.glob("*.py") if file.name not in KERNEL_OWN)]


def test_no_value_is_written_into_sql() -> None:
    modules = {named(file): Module(tree_of(file), file) for file in files()}
    assert [f"{name}:{line} {text}" for name, one in modules.items() for line, text in one.foreign()] == []


@pytest.mark.parametrize(
    "planted",
    [
        "async def f(session, name):\n    await fetch(session, f\"select * from t where name = '{name}'\")",
        "async def f(session, name):\n    await execute(session, 'delete from t where id = ' + name)",
        "async def f(session, name):\n    await fetch(session, SQL.format(name))",
        "async def f(session, name):\n    await fetch(session, SQL % name)",
        "async def f(session, name):\n    sql = 'select 1'\n    sql += name\n    await fetch_value(session, sql)",
        "async def f(session, x):\n    where = []\n    where.append(x)\n    await fetch(session, ' '.join(where))",
        "async def f(session, names):\n    for n in names:\n        await fetch_one(session, f'select {n}')",
        "def g(x):\n    return x\nasync def f(session, body):\n    await fetch(session, g(body.x))",
        "def g(x):\n    return 'a', x\nasync def f(session, x):\n    v, sql = g(x)\n    await fetch(session, sql)",
        "async def f(session, body):\n    await session.execute(text(f'select {body.x}'))",
        "async def f(session, sql):\n    await fetch(session, sql)",
        "async def _f(session, sql):\n    await fetch(session, sql)\nasync def g(s, x):\n    await _f(s, x)",
        "async def f(connection, x):\n    await connection.fetch(f'select {x}')",
        "SQL = f'select {today()}'",
    ],
)
def test_a_planted_value_is_found(planted: str) -> None:
    assert list(Module(ast.parse(planted)).foreign())


@pytest.mark.parametrize(
    "fine",
    [
        "async def f(session, x):\n    await fetch(session, SQL, x)",
        "async def f(session, x):\n    await fetch(session, SQL.format(where=WHERE[x]), x)",
        "async def f(session, x):\n    parts = ['a']\n    parts.append(f'x = ${len(parts)}')\n"
        "    await fetch(session, ' and '.join(parts), x)",
        "def g(x):\n    return ONE if x else 'two'\nasync def f(session, x):\n    await fetch(session, g(x))",
        "def g(x):\n    return ONE, [x]\nasync def f(session, x):\n    sql, v = g(x)\n    await fetch(session, sql, v)",
        "async def _f(session, sql):\n    await fetch(session, sql)\nasync def g(session):\n    await _f(session, 'a')",
        "async def f(session, context):\n    await execute(session, f'set lock_timeout = {context.limits.wait_s}')",
        "SQL = f'select {FIELDS} from t'",
    ],
)
def test_what_is_ours_passes(fine: str) -> None:
    assert not list(Module(ast.parse(fine)).foreign())
