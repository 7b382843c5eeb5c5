"""Makes the sample that `make demo` plays: `python -m examples.generate` writes it into examples/sample/.

The same bytes on every machine and every Python: seeded, and drawn with `getrandbits` alone, the only method of
`random.Random` besides `random()` whose output does not depend on Python's release.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from examples import people, terms

T = TypeVar("T")

SEED = 20260105
FOLDER = Path(__file__).parent / "sample"
COLUMNS = (
    "external_id", "class", "project", "task", "resource", "role", "date", "quantity",
    "description", "external_description",
)  # fmt: skip
FIRST_DAY = date(2026, 1, 5)
LAST_DAY = date(2026, 3, 27)
FIRST_FUTURE_DAY = date(2099, 1, 5)
LAST_FUTURE_DAY = date(2099, 1, 20)

# Hundredths of an hour. Thirds of an hour are there on purpose: they make amounts that have to be rounded.
_SHIFTS = (100, 133, 150, 167, 200, 225, 250, 300, 333, 350, 400, 425, 475, 500, 550, 600, 667, 700, 750, 800)
_HALF_DAYS = _SHIFTS[:10]


class Dice:
    """Whole numbers out of a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def below(self, limit: int) -> int:
        return self._random.getrandbits(32) % limit

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]


def working_days(first: date, last: date) -> Iterator[date]:
    """Mondays to Fridays from `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        if day.weekday() < 5:
            yield day


def entries() -> list[dict[str, str]]:
    """The time entries as rows of the CSV."""
    dice = Dice(SEED)
    rows = [
        row
        for day in working_days(FIRST_DAY, LAST_DAY)
        for person in people.PEOPLE
        if dice.chance(66)
        for row in _day(dice, person, day)
    ]
    booked_ahead = [person for person in people.PEOPLE if person.projects[0] in terms.BOOKED_AHEAD]
    for day in working_days(FIRST_FUTURE_DAY, LAST_FUTURE_DAY):
        person = dice.pick(booked_ahead)
        rows.append(
            _row(dice, person, day=day, project=person.projects[0], task="workshop", hundredths=dice.pick(_SHIFTS))
        )
    return [{"external_id": f"te-{number:05}", **row} for number, row in enumerate(rows, start=1)]


def _day(dice: Dice, person: people.Person, day: date) -> list[dict[str, str]]:
    """One or two entries of one person."""
    pieces = [dice.pick(_HALF_DAYS), dice.pick(_HALF_DAYS)] if dice.chance(27) else [dice.pick(_SHIFTS)]
    rows = []
    for hundredths in pieces:
        project = terms.INTERNAL if dice.chance(2) else dice.pick(person.projects)
        rows.append(
            _row(dice, person, day=day, project=project, task=dice.pick(terms.TASKS[project]), hundredths=hundredths)
        )
    return rows


def _row(dice: Dice, person: people.Person, *, day: date, project: str, task: str, hundredths: int) -> dict[str, str]:
    return {
        "class": "time",
        "project": project,
        "task": task,
        "resource": person.code,
        "role": person.role,
        "date": day.isoformat(),
        "quantity": f"{hundredths // 100}.{hundredths % 100:02}",
        "description": f"{person.name}, {task}",
        "external_description": dice.pick(terms.WORDS[task]),
    }


def contracts() -> dict[str, Any]:
    """Customers, price lists, contracts with their lines, and the explicit schedules."""
    return {
        "customers": terms.CUSTOMERS,
        "price_lists": terms.price_lists(),
        "contracts": terms.CONTRACTS,
        "schedules": terms.SCHEDULES,
    }


def files() -> dict[str, str]:
    """File name → content: the two files of the sample."""
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(entries())
    return {
        "entries.csv": table.getvalue(),
        "contracts.json": json.dumps(contracts(), indent=2, ensure_ascii=False) + "\n",
    }


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, content in files().items():
        (FOLDER / name).write_text(content, encoding="utf-8", newline="\n")
        print(f"{FOLDER.name}/{name}: {len(content):,} characters")


if __name__ == "__main__":
    main()
