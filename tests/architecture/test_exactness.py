"""What would make money inexact, time untestable or SQL unsafe is not in the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import KERNEL, ROOT, named, product_files, service_files, tree_of

# Where seconds are, not money.
SECONDS = {
    "auth.py", "consumer.py", "db.py", "edge.py", "ending.py", "history.py", "jobs.py", "relay.py", "sums.py",
    "telemetry.py", "timetable.py", "worker.py",
}  # fmt: skip
SQL_FLOATS = re.compile(r"\b(double precision|float[48]?|real)\b", re.IGNORECASE)
SEAMS = {
    "datetime": {"now", "utcnow", "today", "fromtimestamp"},
    "date": {"today", "fromtimestamp"},
    "time": {"time", "time_ns", "localtime", "gmtime"},
    "uuid": {"uuid1", "uuid4", "uuid6", "uuid7", "uuid8"},
    "random": {"random", "randint", "choice", "shuffle", "Random"},
}
# `clock` is where they are read. A log line's own time and the ids that logs are found by are not the product's.
MAY_READ = {"clock.py", "telemetry.py"}


def money_files() -> list[Path]:
    return [*service_files(), *(file for file in KERNEL.rglob("*.py") if file.name not in SECONDS)]


def floats(tree: ast.AST) -> Iterator[int]:
    """Lines that name the type, or write a number of it, or ask PostgreSQL for one."""
    pauses = {id(inner) for node in ast.walk(tree) if is_pause(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "float":
            yield node.lineno
        if isinstance(node, ast.Constant) and id(node) not in pauses and is_float(node.value):
            yield node.lineno


def is_float(value: object) -> bool:
    return isinstance(value, float) or (
        isinstance(value, str) and looks_like_sql(value) and SQL_FLOATS.search(value) is not None
    )


def is_pause(node: ast.AST) -> bool:
    """A constant of seconds: its name says so."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(one, ast.Name) and one.id.endswith(("_S", "_SECONDS")) for one in targets)


def looks_like_sql(text: str) -> bool:
    return re.search(r"\b(select|create table|alter table|cast|::)", text, re.IGNORECASE) is not None


def test_no_float_where_money_or_quantities_are() -> None:
    files = [*money_files(), *(ROOT / "services").glob("*/migrations/versions/*.py")]
    assert [f"{named(file)}:{line}" for file in files for line in floats(tree_of(file))] == []


@pytest.mark.parametrize(
    "planted",
    ["x = float('8.5')", "x = 8.5", "def f(x: float) -> None: ...", "S = 'select price::float8 from rates'",
     "S = 'create table t (price double precision)'", "S = 'select 1::real'"],
)  # fmt: skip
def test_a_planted_float_is_found(planted: str) -> None:
    assert list(floats(ast.parse(planted)))


def test_a_pause_is_no_money() -> None:
    assert not list(floats(ast.parse("_POLL_S = 0.5\nS = 'a real invoice'")))


def clock_reads(tree: ast.AST) -> Iterator[int]:
    """Lines that read the machine's clock or chance themselves instead of being given them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in SEAMS.get(owner_of(node), set()):
            yield node.lineno
        if isinstance(node, ast.ImportFrom):
            read = SEAMS.get(node.module or "", set()) - {"now", "today"}
            if read & {alias.name for alias in node.names}:
                yield node.lineno


def owner_of(node: ast.Attribute) -> str:
    return node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")


def test_only_the_clock_reads_time_and_makes_ids() -> None:
    files = [file for file in product_files() if file.name not in MAY_READ]
    assert [f"{named(file)}:{line}" for file in files for line in clock_reads(tree_of(file))] == []


@pytest.mark.parametrize(
    "planted",
    [
        "import datetime\nx = datetime.datetime.now()",
        "from datetime import datetime\nx = datetime.now(UTC)",
        "x = date.today()",
        "import time\nx = time.time()",
        "from uuid import uuid4",
        "import random\nx = random.random()",
    ],
)
def test_a_planted_reading_is_found(planted: str) -> None:
    assert list(clock_reads(ast.parse(planted)))


def ends_transaction(tree: ast.AST) -> Iterator[int]:
    """Lines that commit or roll back; to release a savepoint is neither."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"commit", "rollback"} and owner_of(node) == "session":
            yield node.lineno


def test_no_service_ends_a_transaction() -> None:
    """One transaction at the edge: what commits in the middle leaves halves behind."""
    assert [f"{named(file)}:{line}" for file in service_files() for line in ends_transaction(tree_of(file))] == []


def test_a_planted_commit_is_found() -> None:
    assert list(ends_transaction(ast.parse("await session.commit()")))


def test_the_lock_file_has_hashes_and_no_addresses() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"://|--(extra-)?index|--find-links|@ ?file|^-e|^\s*-r", text, re.MULTILINE)
    requirements = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).strip())
    assert len(requirements) > 50
    for one in requirements:
        assert re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,_-]+\])?==\S+", one), one[:80]
        assert "--hash=sha256:" in one, one[:80]
