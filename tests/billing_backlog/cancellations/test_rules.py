"""What each question is answered, over every state."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_backlog.cancellations.rules import Known, Question, decide
from billing_backlog.withdrawals.rules import Hold

ENTRY, INVOICE = UUID(int=1), UUID(int=2)
HOLD = Hold("posted", INVOICE)


def question(revision: int, request: int = 1) -> Question:
    return Question(ENTRY, revision, UUID(int=100 + request), "P")


@pytest.mark.parametrize(
    ("revision", "known", "hold", "outcome", "reason", "after"),
    [
        (2, Known(2, "approved"), None, "reversed", None, Known(2, "reversed")),
        (2, Known(2, "approved"), HOLD, "refused", "posted", Known(2, "approved")),
        (2, Known(2, "reversed"), None, "reversed", None, Known(2, "reversed")),
        (1, Known(2, "approved"), HOLD, "reversed", None, Known(2, "approved")),
        (3, Known(2, "reversed"), None, "reversed", None, Known(3, "reversed")),
        (3, Known(2, "approved"), None, "refused", "wrong_state", Known(2, "approved")),
    ],
)
def test_one_question(
    revision: int, known: Known, hold: Hold | None, outcome: str, reason: str | None, after: Known
) -> None:
    made = decide([question(revision)], {ENTRY: known}, {ENTRY: hold})
    (answer,) = made.answers
    assert (answer.outcome, answer.reason) == (outcome, reason)
    assert made.known[ENTRY] == after
    assert made.taken_back == ([ENTRY] if (known.state, after.state) == ("approved", "reversed") else [])


@given(st.lists(st.integers(1, 4), max_size=8), st.integers(1, 4), st.sampled_from(["approved", "reversed"]))
def test_every_question_is_answered_and_work_is_taken_back_once(revisions: list[int], known: int, state: str) -> None:
    questions = [question(revision, n) for n, revision in enumerate(revisions)]
    made = decide(questions, {ENTRY: Known(known, state)}, {})
    assert sorted(one.question.request_id for one in made.answers) == [one.request_id for one in questions]
    assert made.taken_back == ([ENTRY] if state == "approved" and known in revisions else [])
    assert made.known[ENTRY].revision >= known
    refused = {one.question.revision for one in made.answers if one.outcome == "refused"}
    assert all(state == "approved" and revision > known and known not in revisions for revision in refused)
