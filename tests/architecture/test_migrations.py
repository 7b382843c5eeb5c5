"""Migrations run while the old release works: each expands, or says from which release on its database serves."""

import importlib.util
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from proforma import migrations
from proforma.migrations import split_statements

ROOT = Path(__file__).parents[2]
HISTORIES = sorted((ROOT / "services").glob("*/migrations/versions/*.py"))
FIRST = {"time-expense": 4, "billing-backlog": 9, "invoicing": 4, "scheduler": 4}
"""Service → its first migration under this rule. Before it no release had a predecessor that worked on beside it."""

_NEW_COLUMN = r"\badd (column )?(if not exists )?(?!constraint)\w+ [^,;]*"
_CONSTRAINT = r"\badd (constraint \w+ )?(check|foreign key|primary key|exclude)\b"
BREAKS = {
    "drops a column": r"\bdrop column\b",
    "drops a table, view, function or type": r"\bdrop (table|view|materialized view|function|type|sequence|schema)\b",
    "renames": r"\brename\b",
    "changes a type": r"\balter (column )?\w+ (set data )?type\b",
    "makes a column not null": r"\bset not null\b",
    "adds a column that must be given": _NEW_COLUMN + r"\bnot null\b(?![^,;]*\bdefault\b)",
    "takes a right away": r"\brevoke\b",
}
"""What the release that still runs does not survive: allowed where the migration says by `serves_from` who does."""
HOLDS_UP = {
    "reads a whole table for a constraint": _CONSTRAINT + r"(?!.*\bnot valid\b)",
    "locks a table by hand": r"\block table\b",
    "indexes without concurrently": r"\bcreate (unique )?index (?!concurrently)",
    "rewrites rows": r"^\s*(update|delete|truncate|cluster|vacuum full)\b",
}
"""What makes everybody wait while a table is read or written that may be big."""

# (service, file, what) → why it is safe there.
ALLOWED: dict[tuple[str, str, str], str] = {}


class Recorder:
    """Stands where Alembic's `op` does and keeps the statements."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def execute(self, statement: Any) -> None:
        self.statements += split_statements(str(statement))

    def get_context(self) -> Any:
        return self

    def autocommit_block(self) -> AbstractContextManager[None]:
        return nullcontext()


def statements_of(file: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, list[str]]:
    recorder = Recorder()
    monkeypatch.setattr(migrations, "op", recorder)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.upgrade()
    return module, recorder.statements


def dangers(statements: list[str]) -> Iterator[str]:
    """What is dangerous among a migration's statements; tables that it makes itself are nobody's yet."""
    made: set[str] = set()
    for statement in statements:
        # What a function's body does later is no matter of the migration.
        text = " ".join(re.sub(r"\$\$.*?\$\$", "", statement, flags=re.DOTALL).lower().replace('"', "").split())
        if created := re.match(r"create table (if not exists )?(\w+)", text):
            made.add(created[2])
            continue
        table = re.match(r"alter table (only )?(\w+)|create (unique )?index .*? on (only )?(\w+)|update (\w+)", text)
        if table and (table[2] or table[5] or table[6]) in made:
            continue
        yield from (what for what, pattern in (BREAKS | HOLDS_UP).items() if re.search(pattern, text))


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: f"{file.parts[-4]}-{file.stem}")
def test_a_migration_expands_or_says_whom_it_serves(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = file.parts[-4]
    module, statements = statements_of(file, monkeypatch)
    assert re.fullmatch(r"[0-9]{4}", module.revision), "revisions are numbers: releases compare them"
    assert module.revision == file.name[:4]
    if int(module.revision) < FIRST[service]:
        return
    serves = getattr(module, "serves_from", None)
    found = {what for what in dangers(statements) if (service, file.name, what) not in ALLOWED}
    assert not found & HOLDS_UP.keys(), "do it in steps, or say in ALLOWED why the table is small"
    assert serves is not None or not found, "expand now and contract in a later release, or say `serves_from`"
    assert serves is None or serves <= module.revision


def test_the_first_under_the_rule_serves_no_older_release(monkeypatch: pytest.MonkeyPatch) -> None:
    for service, first in FIRST.items():
        (file,) = [one for one in HISTORIES if one.parts[-4] == service and one.name.startswith(f"{first:04}")]
        module, _ = statements_of(file, monkeypatch)
        assert module.serves_from == f"{first:04}"


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("alter table a drop column b", "drops a column"),
        ("drop table a", "drops a table, view, function or type"),
        ("alter table a rename column b to c", "renames"),
        ("alter table a rename to b", "renames"),
        ("alter table a alter column b type bigint", "changes a type"),
        ("alter table a alter column b set not null", "makes a column not null"),
        ("alter table a add column b int not null", "adds a column that must be given"),
        ("alter table a add constraint c check (b > 0)", "reads a whole table for a constraint"),
        ("alter table a add foreign key (b) references c", "reads a whole table for a constraint"),
        ("create index i on a (b)", "indexes without concurrently"),
        ("create unique index i on a (b)", "indexes without concurrently"),
        ("revoke select on a from b", "takes a right away"),
        ("lock table a", "locks a table by hand"),
        ("update a set b = 1", "rewrites rows"),
    ],
)
def test_what_is_dangerous_is_seen(script: str, what: str) -> None:
    assert list(dangers([script])) == [what]


@pytest.mark.parametrize(
    "script",
    [
        "alter table a add column b int",
        "alter table a add column b int not null default 0, add column c text",
        "alter table a add constraint c check (b > 0) not valid",
        "create index concurrently i on a (b)",
        "create table a (b int not null); create index i on a (b); alter table a add foreign key (b) references c",
        "create function f() returns int language plpgsql as $$ begin update a set b = 1; drop table c; end $$",
        "create or replace view v as select 1",
    ],
)
def test_what_expands_is_let_through(script: str) -> None:
    assert list(dangers(split_statements(script))) == []
