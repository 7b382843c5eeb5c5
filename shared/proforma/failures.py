"""Which failures pass by themselves and which do not: the line between waiting and setting a message aside."""

from collections.abc import Iterator

import asyncpg
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from proforma.errors import BrokenRule, Problem


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        if isinstance(seen, DBAPIError) and seen.orig is not None:
            yield seen.orig
            seen = seen.orig.__cause__
        else:
            seen = seen.__cause__


_TIMED_OUT = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)
_DETERMINISTIC = (
    Problem,
    BrokenRule,
    ValidationError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.RaiseError,
)


def timed_out(error: BaseException) -> bool:
    """True for lock and statement time-outs: the same batch, halved, may pass."""
    return any(isinstance(link, _TIMED_OUT) for link in _chain(error))


def is_deterministic(error: BaseException) -> bool:
    """True when the same message would fail again whatever we wait for.

    Deadlocks, lock and statement time-outs and lost connections are not: to set such a message aside would turn
    a busy minute into lost money, so the consumer keeps trying them (design §5.11).
    """
    chain = list(_chain(error))
    if any(
        isinstance(link, (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, *_TIMED_OUT)) for link in chain
    ):
        return False
    return any(isinstance(link, _DETERMINISTIC) for link in chain)
