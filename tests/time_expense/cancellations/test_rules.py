"""What an answer does: by table, and for every order in which answers may come."""

from decimal import Decimal
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from time_expense.cancellations.rules import Answer, Approved, take

OLD, OPEN = UUID(int=1), UUID(int=2)
STATES = ("draft", "submitted", "approved", "rejected", "cancellation_requested")


def entry(status: str, revision: int = 2) -> Approved:
    """An entry in its second revision; the open question is OPEN."""
    holds = status in ("approved", "cancellation_requested")
    asked = OPEN if status == "cancellation_requested" else None
    return Approved(UUID(int=9), 7, status, revision, asked, Decimal(6) if holds else None, "chargeable")


CASES = {
    # outcome, revision, question: draft, submitted, approved, rejected, cancellation_requested
    ("reversed", 2, OPEN): ("-", "-", "submitted", "-", "submitted"),
    ("reversed", 2, OLD): ("-", "-", "submitted", "-", "submitted"),
    ("reversed", 1, OPEN): ("-", "-", "-", "-", "-"),
    ("reversed", 1, OLD): ("-", "-", "-", "-", "-"),
    ("reversed", 3, OPEN): ("-", "-", "-", "-", "-"),
    ("refused", 2, OPEN): ("-", "-", "-", "-", "approved"),
    ("refused", 2, OLD): ("-", "-", "-", "-", "-"),
    ("refused", 1, OLD): ("-", "-", "-", "-", "-"),
}


@pytest.mark.parametrize(("said", "row"), CASES.items())
def test_an_answer_does_what_the_table_says(said: tuple[str, int, UUID], row: tuple[str, ...]) -> None:
    outcome, revision, question = said
    for status, expected in zip(STATES, row, strict=True):
        before = entry(status)
        after = take(before, Answer(revision, question, outcome))  # type: ignore[arg-type]
        assert ("-" if after is None else after.status) == expected, status
        if after is None:
            continue
        assert (after.version, after.revision, after.request_id) == (8, 2, None)
        terms = (None, None) if expected == "submitted" else (before.billable_quantity, before.billing_type)
        assert (after.billable_quantity, after.billing_type) == terms


answers = st.builds(Answer, st.integers(1, 3), st.sampled_from([OLD, OPEN]), st.sampled_from(["reversed", "refused"]))


def played(before: Approved, some: tuple[Answer, ...]) -> Approved:
    for answer in some:
        before = take(before, answer) or before
    return before


@given(st.sampled_from(STATES), st.lists(answers, max_size=4))
def test_a_reversed_revision_ends_submitted_in_whatever_order_the_answers_come(status: str, some: list[Answer]) -> None:
    ends = {played(entry(status), order).status for order in permutations(some)}
    reversed_now = any(one.outcome == "reversed" and one.revision == 2 for one in some)
    if status in ("approved", "cancellation_requested"):
        refused_now = any(one.outcome == "refused" and one.request_id == OPEN for one in some)
        left = "approved" if refused_now else status
        assert ends == {"submitted" if reversed_now else left}
    else:
        assert ends == {status}


@given(st.sampled_from(STATES), st.lists(answers, max_size=4))
def test_what_is_told_twice_changes_nothing_the_second_time(status: str, some: list[Answer]) -> None:
    once = played(entry(status), tuple(some))
    assert played(once, tuple(some)) == once
