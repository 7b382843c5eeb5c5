"""Which revision a release needs and a database has. Without Alembic: it is 10 MB that only `migrate` has a use for."""

import ast
import asyncio
import re
from functools import cache
from pathlib import Path

from proforma.db import Database, fetch_value

_CHECK_S = 2
_CONSTANT = re.compile(r"^(revision|down_revision)(?:: [^=]+)? = (.+)$", re.MULTILINE)


@cache
def newest_revision(folder: Path) -> str:
    """The revision that nothing follows in a service's history; raises ValueError when there are none or several."""
    files = [_constants(file) for file in (folder / "versions").glob("*.py")]
    heads = {one["revision"] for one in files} - {one["down_revision"] for one in files}
    if len(heads) != 1:
        raise ValueError(f"{folder} has not one newest revision: {sorted(map(str, heads))}")
    return str(heads.pop())


async def revision_problem(database: Database, folder: Path) -> str | None:
    """None when the database has the newest revision; otherwise what to say. Services check, they never migrate."""
    head = newest_revision(folder)
    async with asyncio.timeout(_CHECK_S), database.transaction() as session:
        there = await fetch_value(session, "select to_regclass('alembic_version') is not null")
        at = await fetch_value(session, "select version_num from alembic_version") if there else None
    return None if at == head else f"at revision {at}, this release needs {head}: run migrate"


def _constants(file: Path) -> dict[str, object]:
    return {name: ast.literal_eval(value) for name, value in _CONSTANT.findall(file.read_text())}
