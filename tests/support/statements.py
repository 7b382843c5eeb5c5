"""What a connection is asked: how many statements something takes, and which."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asyncpg import introspection

from proforma.known import STATE

# What a connection asks once, or every few seconds: counted, it would be a matter of who had the connection before.
_NOW_AND_THEN = {
    introspection.INTRO_LOOKUP_TYPES,
    introspection.INTRO_LOOKUP_TYPES_13,
    introspection.TYPE_BY_NAME,
    STATE,
}
_BESIDE_TYPES = "current_setting('jit')"


@contextmanager
def written_down(connection: Any, statements: list[str]) -> Iterator[None]:
    """Appends every statement of the block, but for questions about types and whether the database is known."""

    def write(record: Any) -> None:
        if record.query not in _NOW_AND_THEN and _BESIDE_TYPES not in record.query:
            statements.append(record.query)

    with connection.query_logger(write):
        yield
