"""Run dates by frequency: which days a pattern names, and how far ahead they are generated. Pure.

Every range of days here includes both of its ends.
"""

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import takewhile
from typing import Literal

Period = Literal["week", "two_weeks", "month"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Occurrence = Literal["first", "second", "third", "fourth", "last"]
Day = int | Literal["last"]

WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
RUNS_A_MONTH_MAX = 4
MONTHS_AHEAD = 24
FIRST_DATE = date(2000, 1, 1)
LAST_DATE = date(2199, 12, 31)

_NTH: dict[Occurrence, int] = {"first": 0, "second": 1, "third": 2, "fourth": 3}
_WEEK = 7


@dataclass(frozen=True, slots=True)
class Frequency:
    """A weekday every week or every two weeks; or, every month, `days` or occurrences of a weekday."""

    period: Period
    weekday: Weekday | None = None
    days: Sequence[Day] = ()
    occurrences: Sequence[Occurrence] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """A frequency between `start` and `end` (None: without end); the cut-off lies so many days before the run."""

    frequency: Frequency
    start: date
    end: date | None
    cut_off_days_before: int

    @property
    def in_order(self) -> bool:
        """False when it ends before it begins."""
        return self.end is None or self.start <= self.end

    def cut_off(self, run_date: date) -> date:
        """The last day (inclusive) whose work a run of that date takes."""
        return run_date - timedelta(days=self.cut_off_days_before)

    def dates(self, today: date) -> list[date]:
        """What is to be generated on the day `today`: nothing before it, and 24 months ahead at most."""
        return list(self._until(today, months_later(today, MONTHS_AHEAD)))

    def has_dates(self, today: date) -> bool:
        """True when the terms name a day from `today` on, however far ahead."""
        return next(self._until(today, LAST_DATE), None) is not None

    def _until(self, today: date, last: date) -> Iterator[date]:
        return run_dates(self.frequency, self.start, max(self.start, today), min(self.end or last, last))


def run_dates(frequency: Frequency, start: date, first: date, last: date) -> Iterator[date]:
    """The pattern's days from `first` to `last`, ascending, each once. `first` is not before `start`.

    Two weeks count from the first such weekday on or after `start`, never from a row: what is moved or missed shifts
    nothing.
    """
    found = _by_month(frequency, first) if frequency.period == "month" else _by_week(frequency, start, first)
    return takewhile(lambda day: day <= last, found)


def _by_week(frequency: Frequency, start: date, first: date) -> Iterator[date]:
    step = _WEEK * (2 if frequency.period == "two_weeks" else 1)
    day = _on_or_after(start, frequency.weekday or "monday").toordinal()
    # Rounded up to whole steps from the anchor.
    day += max(-(-(first.toordinal() - day) // step), 0) * step
    while day <= LAST_DATE.toordinal():
        yield date.fromordinal(day)
        day += step


def _by_month(frequency: Frequency, first: date) -> Iterator[date]:
    for months in range(first.year * 12 + first.month - 1, LAST_DATE.year * 12 + 12):
        yield from (day for day in _in_month(frequency, months // 12, months % 12 + 1) if day >= first)


def _in_month(frequency: Frequency, year: int, month: int) -> list[date]:
    length = monthrange(year, month)[1]
    # A set: the 29th, 30th and 31st of a short month are one day.
    found = {length if day == "last" else min(day, length) for day in frequency.days}
    if frequency.weekday is not None:
        earliest = _on_or_after(date(year, month, 1), frequency.weekday).day
        for occurrence in frequency.occurrences:
            weeks = (length - earliest) // _WEEK if occurrence == "last" else _NTH[occurrence]
            found.add(earliest + weeks * _WEEK)
    return [date(year, month, day) for day in sorted(found)]


def _on_or_after(day: date, weekday: Weekday) -> date:
    return day + timedelta(days=(WEEKDAYS.index(weekday) - day.weekday()) % _WEEK)


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last; the end of the calendar at most."""
    if day >= LAST_DATE:
        return LAST_DATE
    at = day.year * 12 + day.month - 1 + months
    year, month = at // 12, at % 12 + 1
    return min(date(year, month, min(day.day, monthrange(year, month)[1])), LAST_DATE)
