"""No work lies on two lines: the rule against every piece of work of a small world, counted out."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import product
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from billing_backlog.contract_lines.rules import Coverage, first_overlap, overlap
from billing_backlog.validity import Validity

PROJECTS, CLASSES, TASKS = ["P", "Q"], ["time", "expense", "fee"], ["A", "B", "C"]
START = date(2026, 1, 1)
# The first and the last day stand for all days before and after those that lines may name.
DAYS = [START + timedelta(days=n) for n in range(6)]
WORLD = list(product(PROJECTS, CLASSES, [None, *TASKS], DAYS))
Work = tuple[str, str, str | None, date]

ends = st.none() | st.sampled_from(DAYS[1:-1])
lines = st.builds(
    Coverage,
    st.uuids(),
    st.sampled_from(PROJECTS),
    st.frozensets(st.sampled_from(CLASSES), min_size=1),
    st.none() | st.frozensets(st.sampled_from(TASKS), min_size=1),
    st.builds(Validity, ends, ends).filter(lambda one: one.in_order),
)


def takes(line: Coverage, work: Work) -> bool:
    project, item_class, task, day = work
    return (
        project == line.project
        and item_class in line.classes
        and (line.tasks is None or task in line.tasks)
        and (line.days.first is None or line.days.first <= day)
        and (line.days.last is None or day <= line.days.last)
    )


def shared(many: Sequence[Coverage]) -> list[Work]:
    return [work for work in WORLD if sum(takes(line, work) for line in many) > 1]


@given(lines, lines)
@settings(max_examples=300)
def test_two_lines_overlap_when_both_take_some_work(a: Coverage, b: Coverage) -> None:
    found = overlap(a, b)
    assert (overlap(b, a) is not None) == (found is not None) == bool(shared([a, b]))


@given(lines, lines)
@settings(max_examples=300)
def test_the_example_lies_on_both(a: Coverage, b: Coverage) -> None:
    found = overlap(a, b)
    if found is not None:
        work = (found.first.project, found.item_class, found.task, found.day or DAYS[0])
        assert takes(found.first, work)
        assert takes(found.second, work)


@given(st.lists(lines, max_size=6))
@settings(max_examples=300)
def test_among_many_lines_an_overlap_is_found_and_real(many: list[Coverage]) -> None:
    found = first_overlap(many)
    assert (found is not None) == bool(shared(many))
    if found is not None:
        assert many.index(found.first) < many.index(found.second)
        assert shared([found.first, found.second])


def test_a_thousand_lines_with_tasks_of_their_own_are_apart() -> None:
    many = [Coverage(UUID(int=n), "P", frozenset(CLASSES), frozenset({f"T{n}"}), Validity()) for n in range(1000)]
    assert first_overlap(many) is None
    everything = Coverage(UUID(int=1000), "P", frozenset({"fee"}), None, Validity(START, START))
    found = first_overlap([*many, everything])
    assert found is not None
    assert (found.second, found.item_class, found.day) == (everything, "fee", START)
