"""States of a trigger, and which days have begun."""

from datetime import UTC, date, datetime, timedelta
from typing import Literal

Status = Literal["upcoming", "published", "superseded", "canceled"]

_EARLIEST_ZONE = timedelta(hours=14)


def latest_today(now: datetime) -> date:
    """The calendar day where it is furthest ahead on Earth (UTC+14): every later date is in everybody's future."""
    return (now.astimezone(UTC) + _EARLIEST_ZONE).date()
