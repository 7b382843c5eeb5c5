"""A real firm's time sheet, ten years of it: read where it lies, never copied into the project."""

import csv
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from tests.flows.main_job import Hours

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "sip"
TASKS = FOLDER / "Sip-task-info.csv"
DATES = FOLDER / "est-act-dates.csv"
NO_DATE = date(2010, 1, 4)
DAY = Decimal(8)


def sheet() -> list[Hours]:
    """Every row; one that holds more than a day's 24 hours is spread over days of at most 8."""
    with DATES.open(encoding="latin-1", newline="") as file:
        started = {row["TaskNumber"]: row["StartedOn"] for row in csv.DictReader(file)}
    found: list[Hours] = []
    with TASKS.open(encoding="latin-1", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 1):
            text = started.get(row["TaskNumber"])
            day = datetime.strptime(text, "%d-%b-%y").replace(tzinfo=UTC).date() if text else NO_DATE
            for piece, hours in enumerate(_pieces(Decimal(row["DeveloperHoursActual"]))):
                found.append(
                    Hours(
                        f"sip-{number}-{piece}", row["ProjectCode"], row["TaskNumber"], row["DeveloperID"],
                        row["SubCategory"], day + timedelta(days=piece), hours,
                    )
                )  # fmt: skip
    return found


def _pieces(hours: Decimal) -> list[Decimal]:
    if hours <= 24:
        return [hours]
    whole, rest = divmod(hours, DAY)
    return [DAY] * int(whole) + ([rest] if rest else [])
