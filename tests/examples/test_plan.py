"""The plan of a play: the sample, any CSV, and a second play beside the first."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.client import DemoError
from examples.plan import csv_plan, due_today, read_rows, renamed, sample_plan, spread


def _file(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "work.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_our_own_column_names_are_taken_as_they_are(tmp_path: Path) -> None:
    text = "external_id,project,task,resource,role,date,quantity\na1,P1,T1,ada,dev,2026-02-03,7.50\n"
    rows, remarks = read_rows(_file(tmp_path, text))
    assert remarks == []
    assert rows == [
        {
            "external_id": "a1", "class": "time", "project": "P1", "task": "T1", "resource": "ada", "role": "dev",
            "date": "2026-02-03", "quantity": "7.50",
        }
    ]  # fmt: skip


def test_other_systems_names_are_recognised_and_told(tmp_path: Path) -> None:
    head = "TaskNumber,ProjectCode,SubCategory,HoursActual,DeveloperID,DeveloperHoursActual,Summary"
    rows, remarks = read_rows(_file(tmp_path, f"{head}\n1,PC1,Bug,9,42,1.75,Mend\n"))
    (row,) = rows
    assert (row["project"], row["task"], row["role"], row["resource"]) == ("PC1", "1", "Bug", "42")
    assert row["quantity"] == "1.75", "the person's own hours, not the team's"
    assert row["external_description"] == "Mend"
    assert row["external_id"] == "row-1"
    assert "quantity from the column DeveloperHoursActual" in remarks
    assert "no date in the file: 2026-01-05 is taken" in remarks


def test_latin_1_is_read(tmp_path: Path) -> None:
    rows, _ = read_rows(_file(tmp_path, "project,resource,hours\nGrün,Åsa,1\n", "latin-1"))
    assert (rows[0]["project"], rows[0]["resource"]) == ("Grün", "Åsa")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("project,person\nP,a\n", "no column for quantity"),
        ("", "no column for project, resource, quantity"),
        ("project,resource,hours\n", "has no rows"),
    ],
)
def test_a_file_that_cannot_be_played_is_refused_in_one_clear_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DemoError, match=said) as refused:
        read_rows(_file(tmp_path, text))
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"cannot read .*none\.csv"):
        csv_plan(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-02-05", "2026-02-05"),
        ("2026-02-05T10:00:00Z", "2026-02-05"),
        ("2026-02-05 10:00", "2026-02-05"),
        ("4. Feb 2026", "4. Feb 2026"),
    ],
)
def test_an_instant_is_cut_to_its_day(tmp_path: Path, text: str, day: str) -> None:
    (row,), _ = read_rows(_file(tmp_path, f"project,resource,hours,date\nP,a,1,{text}\n"))
    assert row["date"] == day


@given(st.decimals(Decimal("0.01"), Decimal(3000), places=2))
def test_spreading_keeps_the_hours(hours: Decimal) -> None:
    row = {"external_id": "x", "date": "2026-03-02", "quantity": str(hours)}
    rows = spread(row)
    pieces = [Decimal(row["quantity"]) for row in rows]
    assert sum(pieces) == hours
    assert len(rows) == len({row["external_id"] for row in rows}) == len({row["date"] for row in rows})
    assert max(row["date"] for row in rows) == "2026-03-02", "never later than the work was"
    if hours > 24:
        assert all(0 < piece <= 8 for piece in pieces)
    else:
        assert rows == [row]


@pytest.mark.parametrize(
    ("quantity", "day"),
    [
        ("", "2026-03-02"),
        ("many", "2026-03-02"),
        ("NaN", "2026-03-02"),
        ("Infinity", "2026-03-02"),
        ("-30", "2026-03-02"),
        ("1e12", "2026-03-02"),
        ("30", "2. March"),
    ],
)
def test_what_makes_no_sense_is_left_for_the_import_to_refuse(quantity: str, day: str) -> None:
    row = {"external_id": "x", "date": day, "quantity": quantity}
    assert spread(row) == [row]


def test_a_csv_gets_a_contract_for_each_project_and_a_rate_for_each_role(tmp_path: Path) -> None:
    text = "project,resource,role,hours\nP2,a,dev,1\nP1,b,dev,2\nP1,b,test,3\n,b,lead,4\n"
    plan = csv_plan(_file(tmp_path, text))
    assert [contract["name"] for contract in plan.contracts] == ["P1", "P2"]
    assert all(len(contract["lines"]) == 1 for contract in plan.contracts)
    for one in plan.price_lists:
        assert [rate["role"] for rate in one["rates"]] == ["dev", "lead", "test"]
    assert len(plan.rows) == 4, "the row without a project goes along and is refused by the import"


def test_the_import_gets_the_rows_back() -> None:
    plan = sample_plan()
    content, begins = plan.upload()
    assert list(csv.DictReader(io.StringIO(content.decode()))) == list(plan.rows)
    assert list(begins) == list(range(2, len(plan.rows) + 2))


def test_the_line_of_each_row_is_known_behind_a_text_of_several_lines(tmp_path: Path) -> None:
    text = 'project,resource,hours,note\nP,a,1,"one\r\ntwo\nthree"\nP,b,2,x\n'
    plan = csv_plan(_file(tmp_path, text))
    content, begins = plan.upload()
    assert {line: row["resource"] for line, row in begins.items()} == {2: "a", 5: "b"}
    assert b"row-2" in content.split(b"\n")[5 - 1]


def test_a_row_for_today_is_the_contracts_today() -> None:
    plan = sample_plan()
    late = due_today(plan, datetime(2026, 11, 29, 23, 30, tzinfo=UTC))
    assert [one["rows"][:-1] for one in late.schedules] == [one["rows"] for one in plan.schedules]
    # In Berlin, where the scheduled contract is, it is half past midnight.
    assert [one["rows"][-1] for one in late.schedules] == [{"run_date": "2026-11-30", "cut_off": "2026-11-29"}] * 2


def test_the_first_play_has_the_files_names() -> None:
    plan = sample_plan()
    assert renamed(plan, 1) is plan


def test_a_second_play_shares_no_name_with_the_first() -> None:
    first = sample_plan()
    second = renamed(first, 2)
    assert {row["external_id"] for row in first.rows}.isdisjoint(row["external_id"] for row in second.rows)
    assert {row["project"] for row in first.rows}.isdisjoint(row["project"] for row in second.rows)
    known = {one["external_id"] for part in (second.customers, second.price_lists) for one in part}
    for contract in second.contracts:
        assert {contract["customer"], contract["cost_price_list"], *contract["sales_price_lists"]} <= known
    lines = {line["external_id"] for contract in second.contracts for line in contract["lines"]}
    assert {one["contract_line"] for one in second.schedules} <= lines
    assert {row["task"] for row in second.rows} == {row["task"] for row in first.rows}
