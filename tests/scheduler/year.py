"""A year of 300 contracts in fast motion: what is announced and when it comes, and a model that needs no database."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4, uuid5

from proforma.clock import day_begins
from proforma.envelope import Record
from proforma.events.billing_backlog import ScheduleChanged, ScheduleEnded
from tests.scheduler.calendars import Line, row
from tests.support.events import record_of

FIRST = date(2026, 1, 1)
DAYS = 365
CONTRACTS = 300
LINES = 700
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Auckland", "America/Los_Angeles")

Said = ScheduleChanged | ScheduleEnded


def row_id(line: Line, day: date) -> UUID:
    """A run date of a line has one row, however often it is moved away and back."""
    return uuid5(line.id, str(day))


def terms(chance: random.Random) -> list[date]:
    """The run dates of a year: by month, every two weeks or every week."""
    kind = chance.choices(("month", "two_weeks", "week"), (12, 4, 2))[0]
    if kind == "month":
        day = chance.randint(1, 28)
        return [date(FIRST.year, month, day) for month in range(1, 13)]
    step = timedelta(days=14 if kind == "two_weeks" else 7)
    begin = FIRST + timedelta(days=chance.randrange(step.days))
    return [begin + n * step for n in range(DAYS // step.days)]


def versions(chance: random.Random, line: Line) -> Iterator[tuple[int, Said]]:
    """(day of the year, what is said then): a first version, edits of what lies ahead, for some an end."""
    days = set(terms(chance))
    yield 0, _changed(line, 1, days)
    edits = sorted(chance.sample(range(1, DAYS), chance.choice((0, 0, 1, 1, 2, 3))))
    for version, at in enumerate(edits, start=2):
        today = FIRST + timedelta(days=at)
        ahead = {day for day in days if day >= today}
        gone = set(chance.sample(sorted(ahead), min(len(ahead), chance.randint(0, 2))))
        # One may be moved to the past: it comes late and is due at once.
        added = {today + timedelta(days=chance.randint(-20, 60)) for _ in range(chance.randint(0, 2))}
        days = (days - gone) | {day for day in added if day.year == FIRST.year}
        yield at, _changed(line, version, {day for day in days if day >= today} | added)
    if chance.random() < 0.1:
        at = chance.randrange(200, DAYS)
        yield at, line.ended(len(edits) + 2)


def _changed(line: Line, version: int, days: Iterable[date]) -> ScheduleChanged:
    return line.changed(version, [row(day, row_id(line, day)) for day in sorted(days)])


def mail(chance: random.Random, lines: Iterable[Line]) -> dict[int, list[Record]]:
    """Day of the year → what comes on it: delayed by up to five days, out of order, some of it two or three times."""
    come: dict[int, list[Record]] = {}
    for line in lines:
        for at, said in versions(chance, line):
            record = record_of(said)
            again = replace(record, headers=[("ce_id", str(uuid4()).encode()), *record.headers[2:]])
            copies = [record, *chance.choices((record, again), k=chance.choice((0, 0, 0, 1, 2)))]
            for copy in copies:
                come.setdefault(min(at + chance.choice((0, 0, 1, 5)), DAYS - 1), []).append(copy)
    for records in come.values():
        chance.shuffle(records)
    return come


@dataclass
class Schedule:
    """What the model knows of one line."""

    line: Line
    version: int = 0
    rows: dict[date, datetime] = field(default_factory=dict)
    paused: bool = False
    done: dict[date, tuple[str, datetime | None]] = field(default_factory=dict)

    def hear(self, said: Said) -> None:
        """A higher version replaces the rows."""
        if said.schedule_version > self.version:
            self.version = said.schedule_version
            days = [one.run_date for one in said.rows] if isinstance(said, ScheduleChanged) else []
            self.rows = {day: day_begins(day, self.line.zone) for day in days}

    def due(self, now: datetime) -> list[date]:
        """What has begun and is neither published nor superseded."""
        return sorted(day for day, begins in self.rows.items() if begins <= now and day not in self.done)

    def turn(self, now: datetime) -> None:
        """A scheduler is at work."""
        if not self.paused:
            self.done |= dict.fromkeys(self.due(now), ("published", now))

    def resume(self, now: datetime) -> None:
        """The latest is published, the others never are."""
        due = self.due(now) if self.paused else []
        self.done |= dict.fromkeys(due[:-1], ("superseded", None))
        self.done |= dict.fromkeys(due[-1:], ("published", now))
        self.paused = False


def portfolio(chance: random.Random) -> list[Line]:
    """700 lines of 300 contracts; a contract's lines have its time zone."""
    contracts = [(uuid4(), chance.choice(ZONES)) for _ in range(CONTRACTS)]
    owners = [*contracts, *chance.choices(contracts, k=LINES - CONTRACTS)]
    return [Line(zone, contract_id) for contract_id, zone in owners]
