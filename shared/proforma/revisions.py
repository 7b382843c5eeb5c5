"""Which revision a release needs and a database has. Without Alembic: it is 10 MB that only `migrate` has a use for.

While a release is rolled out, the old one works on against the new one's database. Each migration since the one that
made `serves_from` says from which release on that goes well: the database carries it, because the old release does not
have the new one's files.
"""

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
    """None when this release can work with the database; otherwise what to say. Services check, they never migrate."""
    head = newest_revision(folder)
    async with asyncio.timeout(_CHECK_S), database.transaction() as session:
        there = await fetch_value(session, "select to_regclass('alembic_version') is not null")
        at = await fetch_value(session, "select version_num from alembic_version") if there else None
        if at == head:
            return None
        if at is None or int(at) < int(head):
            return f"at revision {at}, this release needs {head}: run migrate"
        serves = await fetch_value(session, "select serves_from from database_identity")
    if serves is not None and int(serves) <= int(head):
        return None
    return f"at revision {at}, which serves releases from {serves} on, and this one is {head}: deploy a newer release"


def _constants(file: Path) -> dict[str, object]:
    return {name: ast.literal_eval(value) for name, value in _CONSTANT.findall(file.read_text())}
