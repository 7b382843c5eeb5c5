"""A seeded time sheet, small enough to be played again and again."""

import random
from datetime import date, timedelta
from decimal import Decimal

from tests.flows.main_job import Hours

PROJECTS = [f"P{n}" for n in range(1, 7)]
ROLES = ["dev", "lead", "test"]


def sheet(entries: int, seed: int = 7, first: int = 1) -> list[Hours]:
    """`entries` rows over six projects, numbered from `first`."""
    dice = random.Random(seed)
    return [
        Hours(
            f"row-{n}", dice.choice(PROJECTS), f"T{dice.randint(1, 9)}", f"person-{dice.randint(1, 20)}",
            dice.choice(ROLES), date(2026, 1, 1) + timedelta(days=dice.randint(0, 55)),
            Decimal(dice.randint(1, 1200)) / 100,
        )
        for n in range(first, first + entries)
    ]  # fmt: skip
