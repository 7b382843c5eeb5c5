"""Time and fresh ids: passed in everywhere, so that a test can drive both and nothing else reads them."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

import uuid_utils.compat

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:proforma")


class Clock(Protocol):
    """Tells the instant, in UTC and aware."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SetClock:
    """A clock that stands where it was set; tests move it."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        self._at = at

    def advance(self, by: timedelta) -> None:
        self._at += by


def today(clock: Clock, zone: str = "UTC") -> date:
    """The calendar day in `zone` (IANA name): business dates have no time zone of their own, their contract has."""
    return clock.now().astimezone(ZoneInfo(zone)).date()


def day_begins(day: date, zone: str) -> datetime:
    """The first instant (UTC) at which it is `day` in `zone` (IANA).

    Where clocks skip midnight (Beirut, Cairo, Havana, Santiago) the day begins at 01:00 local time, and where a whole
    day is skipped (Apia, 30 December 2011) with the day after it. Where midnight comes twice, the first one counts.
    Raises ValueError for a zone that is none, OverflowError at the ends of the calendar.
    """
    try:
        rules = ZoneInfo(zone)
    except (KeyError, OSError):
        # "Europe" is a folder of the zone files: its OSError, even as a cause, would look like a database that is away.
        raise ValueError(f"{zone!r} is not a time zone") from None
    # fold=0 reads a skipped time with the offset before the change: that is the instant of the change itself.
    return datetime.combine(day, time.min, tzinfo=rules).astimezone(UTC)


Ids = Callable[[], UUID]
"""Makes a fresh UUIDv7: ids in the order of their making keep indexes dense and lists stable."""


def new_id() -> UUID:
    """A fresh UUIDv7."""
    return uuid_utils.compat.uuid7()


def derived_id(*parts: object) -> UUID:
    """The UUIDv5 of `parts`: the same parts give the same id, so what must not be made twice collides with itself."""
    return uuid5(_NAMESPACE, "\x1f".join(str(part) for part in parts))
