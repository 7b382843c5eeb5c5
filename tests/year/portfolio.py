"""A year's contracts, lines, run dates and work, all by dice: what people agree and do, and nothing of what it makes.

Run dates by frequency are worked out here day by day, with rules of our own words, so that the product has to agree.
"""

import random
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

FIRST = date(2023, 7, 1)
"""A year from here has a 29 February, and both changes of the clocks on either side of the equator."""
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Auckland", "America/Los_Angeles")
PRICE = 200
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NTH = ("first", "second", "third", "fourth")


@dataclass(frozen=True)
class Size:
    """How big the year is."""

    contracts: int
    lines: int
    days: int

    @property
    def last(self) -> date:
        return FIRST + timedelta(days=self.days - 1)


FULL = Size(300, 700, 365)
SMALL = Size(12, 28, 60)


@dataclass(frozen=True)
class Thing:
    """What can be billed: an entry, a milestone or a product line, its day, and when people approve and release it.

    `known` and `ready` are days of the year; work is approved late, on time, or ahead of its day.
    """

    id: UUID
    line: UUID
    day: date
    amount: int
    known: int
    ready: int


@dataclass
class Line:
    """A scheduled line: `days` → cut-off. Fixed prices are billed by their milestones, whose days are the rows."""

    contract: UUID
    zone: str
    id: UUID = field(default_factory=uuid4)
    kind: str = "rows"
    terms: dict[str, Any] = field(default_factory=dict)
    days: dict[date, date] = field(default_factory=dict)
    things: list[Thing] = field(default_factory=list)

    @property
    def project(self) -> str:
        return f"P{self.id.hex[:12]}"


@dataclass
class Contract:
    """A contract with its lines, and the thing that its product line sells, if it has one."""

    zone: str
    id: UUID = field(default_factory=uuid4)
    lines: list[Line] = field(default_factory=list)
    product: Thing | None = None


def portfolio(chance: random.Random, size: Size) -> list[Contract]:
    """The contracts with all that is agreed on them and all the work of the year."""
    contracts = [Contract(chance.choice(ZONES)) for _ in range(size.contracts)]
    owners = [*contracts, *chance.choices(contracts, k=size.lines - size.contracts)]
    for owner in owners:
        owner.lines.append(_line(chance, owner, size))
    for contract in contracts:
        if chance.random() < 0.4:
            known = chance.randrange(size.days)
            contract.product = Thing(uuid4(), uuid4(), FIRST, 500, 0, known)
    return contracts


def _line(chance: random.Random, owner: Contract, size: Size) -> Line:
    line = Line(owner.id, owner.zone)
    line.kind = chance.choices(("frequency", "rows", "fixed"), (6, 3, 2))[0]
    if line.kind == "fixed":
        line.things = _milestones(chance, line, size)
        line.days = {one.day: one.day for one in line.things}
        return line
    if line.kind == "frequency":
        # Terms that name no day are refused.
        while not line.days:
            _by_frequency(chance, line, size)
    else:
        for _ in range(chance.randint(3, max(4, size.days // 20))):
            day = FIRST + timedelta(days=chance.randrange(-20, size.days))
            line.days[day] = day - timedelta(days=chance.choice((0, 1, 1, 1, 5)))
        line.terms = {"rows": [{"run_date": str(day), "cut_off": str(cut)} for day, cut in line.days.items()]}
    line.things = _work(chance, line, size)
    return line


def _by_frequency(chance: random.Random, line: Line, size: Size) -> None:
    """Dates from the start, or from tomorrow where that is earlier: where a contract is, it may be tomorrow by now."""
    before = chance.choice((0, 1, 1, 2))
    start = FIRST + timedelta(days=chance.randint(1, 20))
    span = [start + timedelta(days=n) for n in range((size.last - start).days + 1)]
    kind = chance.choices(("days", "occurrence", "two_weeks", "week"), (4, 3, 3, 1))[0]
    weekday = chance.randrange(7)
    named: dict[str, Any] = {"weekday": WEEKDAYS[weekday]}
    if kind == "days":
        wanted = chance.sample([*range(1, 32), "last"], chance.randint(1, 3))
        named = {"period": "month", "days": wanted}
        found = [day for day in span if _is_day(day, wanted)]
    elif kind == "occurrence":
        which = chance.sample((*NTH, "last"), chance.randint(1, 2))
        named |= {"period": "month", "occurrence": which}
        found = [day for day in span if day.weekday() == weekday and _is_occurrence(day, which)]
    else:
        every = 1 if kind == "week" else 2
        named["period"] = kind
        found = [day for day in span if day.weekday() == weekday][::every]
    line.terms = {
        "frequency": named, "start": str(start), "end": str(size.last), "cut_off_days_before": before,
    }  # fmt: skip
    line.days = {day: day - timedelta(days=before) for day in found}


def _is_day(day: date, wanted: list[Any]) -> bool:
    length = monthrange(day.year, day.month)[1]
    return day.day in wanted or (day.day == length and any(one == "last" or one > length for one in wanted))


def _is_occurrence(day: date, which: list[str]) -> bool:
    is_last = (day + timedelta(days=7)).month != day.month
    return (is_last and "last" in which) or (day.day <= 28 and NTH[(day.day - 1) // 7] in which)


def _work(chance: random.Random, line: Line, size: Size) -> list[Thing]:
    made = []
    for n in range(-15, size.days, 9):
        at = n + chance.randrange(9)
        known = max(at + chance.choice((-6, 0, 0, 1, 3, 12, 45)), 0)
        ready = known + chance.choice((0, 0, 1, 4, 20))
        quarters = chance.randint(1, 40)
        made.append(Thing(uuid4(), line.id, FIRST + timedelta(days=at), quarters * PRICE // 4, known, ready))
    return made


def _milestones(chance: random.Random, line: Line, size: Size) -> list[Thing]:
    """Some share a day; some become ready before it, some after it, when another run of the contract takes them."""
    days = [chance.randrange(-5, size.days) for _ in range(chance.randint(1, 5))]
    return [
        Thing(
            uuid4(), line.id, FIRST + timedelta(days=at), chance.randint(1, 90) * 100, 0,
            max(at + chance.choice((-30, -5, 0, 3, 25)), 0),
        )
        for at in days
    ]  # fmt: skip
