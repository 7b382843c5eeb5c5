"""The sample is what its generator makes, and holds what the demo promises to show."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from examples import generate, terms

RUN_DAY = date(2026, 4, 1)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((generate.FOLDER / "entries.csv").read_text(encoding="utf-8"))))


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    held: dict[str, Any] = json.loads((generate.FOLDER / "contracts.json").read_text(encoding="utf-8"))
    return held


def _lines(sample: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for contract in sample["contracts"]:
        yield from contract["lines"]


def _on_a_line(sample: dict[str, Any], row: dict[str, str]) -> bool:
    return any(
        line["project"] == row["project"] and (line["tasks"] is None or row["task"] in line["tasks"])
        for line in _lines(sample)
    )


def test_the_generator_makes_the_committed_bytes_again() -> None:
    made = generate.files()
    assert sorted(made) == sorted(path.name for path in generate.FOLDER.iterdir())
    for name, content in made.items():
        assert (generate.FOLDER / name).read_bytes() == content.encode("utf-8"), name


def test_another_seed_makes_other_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    before = generate.files()["entries.csv"]
    monkeypatch.setattr(generate, "SEED", generate.SEED + 1)
    assert generate.files()["entries.csv"] != before


def test_the_size_is_the_promised_one(rows: list[dict[str, str]], sample: dict[str, Any]) -> None:
    assert 1_900 <= len(rows) <= 2_100
    assert len({row["resource"] for row in rows}) == 40
    assert len({row["external_id"] for row in rows}) == len(rows)
    assert len(sample["customers"]) == 3
    assert len(sample["contracts"]) == 6


def test_some_entries_are_unpriced_some_on_no_line_some_in_the_future(
    rows: list[dict[str, str]], sample: dict[str, Any]
) -> None:
    sold = {rate["role"] for one in sample["price_lists"] if one["kind"] == "sales" for rate in one["rates"]}
    assert sum(row["role"] not in sold and _on_a_line(sample, row) for row in rows) >= 20
    assert sum(row["project"] == terms.INTERNAL for row in rows) >= 20
    assert sum(row["project"] != terms.INTERNAL and not _on_a_line(sample, row) for row in rows) >= 10
    future = [row for row in rows if date.fromisoformat(row["date"]) > RUN_DAY]
    assert 5 <= len(future) <= 20
    assert all(row["date"].startswith("2099-") and _on_a_line(sample, row) for row in future)


def test_every_role_has_a_cost_rate(rows: list[dict[str, str]], sample: dict[str, Any]) -> None:
    (cost,) = (one for one in sample["price_lists"] if one["kind"] == "cost")
    assert {row["role"] for row in rows} <= {rate["role"] for rate in cost["rates"]}


def test_nobody_works_more_than_eight_hours_a_day(rows: list[dict[str, str]]) -> None:
    hours: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        hours[row["resource"], row["date"]] += Decimal(row["quantity"])
    assert max(hours.values()) <= 8


def test_one_piece_of_work_is_on_one_line_at_most(sample: dict[str, Any]) -> None:
    for project, tasks in terms.TASKS.items():
        for task in set(tasks):
            lines = [
                line["external_id"]
                for line in _lines(sample)
                if line["project"] == project and (line["tasks"] is None or task in line["tasks"])
            ]
            assert len(lines) <= 1, (project, task, lines)


def test_some_amounts_have_to_be_rounded(rows: list[dict[str, str]], sample: dict[str, Any]) -> None:
    """Otherwise the demo's check of the totals would pass with any rounding."""
    rates = {rate["role"]: Decimal(rate["price"]) for rate in sample["price_lists"][0]["rates"]}
    exact = [Decimal(row["quantity"]) * rates[row["role"]] for row in rows if row["role"] in rates]
    assert any(amount != amount.quantize(Decimal("0.01")) for amount in exact)


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [(date(2026, 1, 5), date(2026, 1, 9), 5), (date(2026, 1, 9), date(2026, 1, 12), 2)],
)
def test_weekends_are_free(first: date, last: date, days: int) -> None:
    assert len(list(generate.working_days(first, last))) == days
