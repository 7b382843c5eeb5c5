"""Which failures pass by themselves and which do not: the line between waiting and setting a message aside."""

from collections.abc import Iterator

import asyncpg
from sqlalchemy.exc import DBAPIError, PendingRollbackError, ResourceClosedError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from proforma.errors import Unavailable


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
# Of what the database answers, only this speaks about the message; everything else about the moment or the release.
_REFUSED = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.RaiseError,
    asyncpg.ProgramLimitExceededError,
)
_AWAY = (
    OSError, MemoryError, Unavailable, asyncpg.PostgresError, asyncpg.InterfaceError,
    asyncpg.InternalClientError, DBAPIError, PoolTimeout,
    PendingRollbackError, ResourceClosedError,
)  # fmt: skip


def timed_out(error: BaseException) -> bool:
    """True for lock and statement time-outs: the same batch, halved, may pass."""
    return any(isinstance(link, _TIMED_OUT) for link in _chain(error))


def is_deterministic(error: BaseException) -> bool:
    """True when the same message would fail again whatever we wait for.

    Deadlocks, lock and statement time-outs and lost connections are not: to set such a message aside would turn
    a busy minute into lost money, so the consumer keeps trying them (design §5.11). What has nothing to do with a
    database, a network or memory is, a bug of our own included: set aside, it waits for the release that repairs it.
    """
    return not any(_is_away(link) for link in _chain(error))


def _is_away(error: BaseException) -> bool:
    if isinstance(error, DBAPIError) and error.orig is not None and error.orig.__cause__ is not None:
        return False  # a wrapper: the driver's own error, further down the chain, decides
    if isinstance(error, ValueError):
        return False  # asyncpg's refusal of a value is an InterfaceError too
    return isinstance(error, _AWAY) and not isinstance(error, _REFUSED)
