"""Which of several versions of a schedule holds."""

from collections.abc import Iterable
from typing import Protocol, TypeVar
from uuid import UUID


class Versioned(Protocol):
    """What billing-backlog said of a schedule at one version of its terms."""

    @property
    def schedule_id(self) -> UUID: ...

    @property
    def schedule_version(self) -> int: ...


V = TypeVar("V", bound=Versioned)


def newest(said: Iterable[V]) -> dict[UUID, V]:
    """The highest version of each schedule, in whatever order they come."""
    found: dict[UUID, V] = {}
    for one in said:
        known = found.get(one.schedule_id)
        if known is None or known.schedule_version < one.schedule_version:
            found[one.schedule_id] = one
    return found
