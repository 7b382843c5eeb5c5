"""What a connection is asked: how many statements something takes, and which."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asyncpg import introspection

# A connection asks once what a type is, for which a test would be counted or not, by who had the connection before it.
_OF_TYPES = {introspection.INTRO_LOOKUP_TYPES, introspection.INTRO_LOOKUP_TYPES_13, introspection.TYPE_BY_NAME}


@contextmanager
def written_down(connection: Any, statements: list[str]) -> Iterator[None]:
    """Appends every statement of the block, but for asyncpg's own questions about types."""

    def write(record: Any) -> None:
        if record.query not in _OF_TYPES:
            statements.append(record.query)

    with connection.query_logger(write):
        yield
