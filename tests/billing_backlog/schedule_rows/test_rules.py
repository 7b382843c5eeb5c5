"""Explicit rows: what may stand beside what, and what an edit does."""

from datetime import date, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from billing_backlog.schedule_rows.rules import (
    RAN,
    ROWS_MAX,
    Row,
    WantedRow,
    generated_rows,
    replace_rows,
    row_errors,
    taken_errors,
)

MARCH = [date(2026, 3, 1) + timedelta(days=n) for n in range(20)]


def kept(day: date, status: str = "not_run", cut_off: date | None = None) -> Row:
    return Row(uuid4(), day, cut_off or day - timedelta(days=1), status)


def test_the_cut_off_is_the_day_before_unless_said_otherwise() -> None:
    assert WantedRow(date(2026, 3, 1)).cut_off_or() == date(2026, 2, 28)
    assert WantedRow(date(2026, 3, 1), date(2026, 3, 1)).cut_off_or() == date(2026, 3, 1)


def test_errors_name_every_row() -> None:
    wanted = [
        WantedRow(MARCH[3], MARCH[3]),
        WantedRow(MARCH[4], MARCH[5]),
        WantedRow(MARCH[3]),
        WantedRow(MARCH[3]),
    ]
    assert row_errors(wanted) == [
        {"pointer": "/rows/1/cut_off", "detail": "after the run date 2026-03-05"},
        {"pointer": "/rows/2/run_date", "detail": "2026-03-04 is the run date of /rows/0 too"},
        {"pointer": "/rows/3/run_date", "detail": "2026-03-04 is the run date of /rows/0 too"},
    ]


def test_a_row_that_is_the_same_stays() -> None:
    row = kept(MARCH[1])
    for cut_off in (None, row.cut_off):
        change = replace_rows([row], [WantedRow(MARCH[1], cut_off)])
        assert (list(change.removed), list(change.added), list(change.errors)) == ([], [], [])


def test_another_cut_off_is_another_row() -> None:
    row = kept(MARCH[1])
    change = replace_rows([row], [WantedRow(MARCH[1], MARCH[1])])
    assert (list(change.removed), list(change.added)) == ([row.id], [(MARCH[1], MARCH[1])])


def test_a_row_that_ran_stays_named_or_not() -> None:
    rows = [kept(MARCH[1], "successful"), kept(MARCH[2], "skipped")]
    for wanted in ([], [WantedRow(MARCH[1])], [WantedRow(MARCH[2], rows[1].cut_off)]):
        change = replace_rows(rows, wanted)
        assert (list(change.removed), list(change.added), list(change.errors)) == ([], [], [])


def test_a_row_that_ran_keeps_its_cut_off() -> None:
    change = replace_rows([kept(MARCH[1], "skipped")], [WantedRow(MARCH[5]), WantedRow(MARCH[1], MARCH[1])])
    assert [error["pointer"] for error in change.errors] == ["/rows/1/cut_off"]
    assert (list(change.removed), list(change.added)) == ([], [])


def test_a_failed_row_runs_anew_when_it_is_named() -> None:
    failed = kept(MARCH[1], "failed")
    assert replace_rows([failed], []).added == []
    assert replace_rows([failed], [WantedRow(MARCH[1])]).added == [(MARCH[1], MARCH[0])]


def test_a_date_that_ran_under_an_earlier_schedule_is_taken() -> None:
    line, earlier = UUID(int=1), UUID(int=2)
    errors = taken_errors("/4", [WantedRow(MARCH[1]), WantedRow(MARCH[2])], line, {(line, MARCH[2]): earlier})
    assert [error["pointer"] for error in errors] == ["/4/rows/1/run_date"]
    assert str(earlier) in errors[0]["detail"]


_STATUSES = st.sampled_from(["not_run", "successful", "skipped", "failed"])


@given(
    st.dictionaries(st.sampled_from(MARCH), _STATUSES, max_size=8),
    st.dictionaries(st.sampled_from(MARCH), st.integers(0, 3), max_size=8),
)
def test_an_edit_leaves_what_ran_and_what_was_wanted(statuses: dict[date, str], wanted: dict[date, int]) -> None:
    rows = [kept(day, status) for day, status in statuses.items()]
    want = [WantedRow(day, None if back == 0 else day - timedelta(days=back)) for day, back in wanted.items()]
    change = replace_rows(rows, want)
    ran = {row.run_date: row.cut_off for row in rows if row.status in RAN}
    if any(row.run_date in ran and row.cut_off not in (None, ran[row.run_date]) for row in want):
        assert change.errors
        return
    after = {row.run_date: row.cut_off for row in rows if row.id not in change.removed and row.status == "not_run"}
    after |= dict(change.added)
    assert after == {row.run_date: row.cut_off_or() for row in want if row.run_date not in ran}
    assert not {row.id for row in rows if row.status != "not_run"} & set(change.removed)


_KEPT = st.tuples(_STATUSES, st.booleans(), st.integers(0, 2))


@given(
    st.dictionaries(st.sampled_from(MARCH), _KEPT, max_size=10),
    st.dictionaries(st.sampled_from(MARCH), st.integers(0, 2), max_size=10),
    st.sets(st.sampled_from(MARCH), max_size=4),
    st.sampled_from(MARCH),
)
def test_generating_touches_only_what_it_made_and_is_still_to_come(
    before: dict[date, tuple[str, bool, int]], terms: dict[date, int], excepted: set[date], today: date
) -> None:
    rows = [Row(uuid4(), day, day - timedelta(days=back), status, made) for day, (status, made, back) in before.items()]
    wanted = {day: day - timedelta(days=back) for day, back in sorted(terms.items()) if day >= today}
    change = generated_rows(rows, wanted, excepted, from_day=today)
    gone = [row for row in rows if row.id in set(change.removed)]
    assert all(row.generated and row.status == "not_run" and row.run_date >= today for row in gone)
    kept = [row for row in rows if row not in gone]
    after = [row.run_date for row in kept] + [day for day, _ in change.added]
    assert len(after) == len(set(after)), "a date twice"
    free = {row.run_date for row in kept if not row.generated or row.status != "not_run" or row.run_date < today}
    follows = {row.run_date: row.cut_off for row in kept if row.run_date not in free} | dict(change.added)
    assert follows == {day: cut_off for day, cut_off in wanted.items() if day not in excepted | free}
    again = [*kept, *(Row(uuid4(), day, cut_off, "not_run", True) for day, cut_off in change.added)]
    assert not generated_rows(again, wanted, excepted, from_day=today), "twice is once"


def test_the_latest_are_left_where_400_wait() -> None:
    first = date(2026, 1, 1)
    rows = [kept(first + timedelta(days=n)) for n in range(ROWS_MAX - 2)]
    wanted = {date(2028, 1, day): date(2028, 1, day) for day in range(1, 10)}
    assert [day.day for day, _ in generated_rows(rows, wanted, (), from_day=first).added] == [1, 2]
    ran = [kept(row.run_date, "skipped") for row in rows]
    assert len(generated_rows(ran, wanted, (), from_day=first).added) == 9
