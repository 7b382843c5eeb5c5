"""Rules of exchange rates: one a day for a pair of currencies. Pure."""

import datetime
from collections.abc import Mapping

Day = tuple[str, str, datetime.date]
"""(from, to, day)."""


def repeated_days(days: Mapping[str, Day]) -> dict[str, str]:
    """Pointer → pointer of the first, of each rate whose pair and day an earlier one of the array has."""
    first: dict[Day, str] = {}
    return {at: first[day] for at, day in days.items() if first.setdefault(day, at) != at}
