"""When a run date begins."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Status = Literal["upcoming", "published", "superseded", "canceled"]

_EARLIEST_ZONE = timedelta(hours=14)


def day_begins(day: date, zone: str) -> datetime:
    """The first instant (UTC) at which it is `day` in `zone` (IANA).

    Where clocks skip midnight (Beirut, Cairo, Havana, Santiago) the day begins at 01:00 local time, and where a whole
    day is skipped (Apia, 30 December 2011) with the day after it. Where midnight comes twice, the first one counts.
    Raises ValueError for a zone that is none, OverflowError at the ends of the calendar.
    """
    try:
        rules = ZoneInfo(zone)
    except (KeyError, OSError) as error:
        # "Europe" is a folder of the zone files: its OSError would look like a database that is away.
        raise ValueError(f"{zone!r} is not a time zone") from error
    # fold=0 reads a skipped time with the offset before the change: that is the instant of the change itself.
    return datetime.combine(day, time.min, tzinfo=rules).astimezone(UTC)


def latest_today(now: datetime) -> date:
    """The calendar day where it is furthest ahead on Earth (UTC+14): every later date is in everybody's future."""
    return (now.astimezone(UTC) + _EARLIEST_ZONE).date()
