"""The state machine of the first approval: what the domain's table says, and nothing else."""

from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proforma.context import Principal
from tests.time_expense.approvals.transitions import REFUSED, SAME, STATES, TABLE
from time_expense.approvals.rules import MOVES, NOTHING_SET, Override, Refused, Standing, Verb, judge
from time_expense.entries.rules import allowed

verbs = st.sampled_from(sorted(MOVES))
states = st.sampled_from(STATES)
people = st.sampled_from(["ada", "bob", "eve"])
projects = st.sampled_from(["P-1", "P-2"])
callers = st.builds(
    Principal,
    people,
    st.sets(st.sampled_from(["submitter", "approver", "biller", "manager", "service", "admin"]), min_size=1).map(
        frozenset
    ),
    st.none() | st.frozensets(projects),
)


def standing(status: str, **facts: object) -> Standing:
    decided = Decimal("8.00") if status in ("approved", "cancellation_requested") else None
    given_facts: dict[str, object] = {
        "id": UUID(int=1), "version": 1, "status": status, "project": "P-1", "resource": "ada",
        "submitted_by": None if status == "draft" else "bob", "created_by": "bob",
        "billable_quantity": decided, "billing_type": None, **facts,
    }  # fmt: skip
    return Standing(**given_facts)  # type: ignore[arg-type]


entries = st.builds(standing, states, project=projects, resource=people, submitted_by=people, created_by=people)
ADMIN = Principal("root", frozenset({"admin"}))


@pytest.mark.parametrize("status", STATES)
@pytest.mark.parametrize("verb", sorted(MOVES))
def test_each_verb_does_in_each_state_what_the_table_says(verb: Verb, status: str) -> None:
    verdict = judge(verb, standing(status), ADMIN, NOTHING_SET, self_approval=False)
    said = TABLE[verb][status]
    assert (verb in allowed(status)) == (said not in (SAME, REFUSED))
    if said == SAME:
        assert verdict == "unchanged"
    elif said == REFUSED:
        assert isinstance(verdict, Refused)
        assert verdict.reason == "wrong_state"
    else:
        assert (verdict, MOVES[verb].target) == ("change", said)


@pytest.mark.parametrize("status", STATES)
def test_what_is_allowed_is_what_the_table_says_and_nothing_else(status: str) -> None:
    assert set(allowed(status)) == {verb for verb, row in TABLE.items() if row[status] not in (SAME, REFUSED)}


@given(st.lists(verbs))
def test_an_entry_is_approved_only_after_it_was_submitted_and_then_only_a_question_moves_it(walk: list[Verb]) -> None:
    status, last = "draft", None
    for verb in walk:
        verdict = judge(verb, standing(status), ADMIN, NOTHING_SET, self_approval=False)
        if status == "approved":
            assert (verdict == "change") == (verb == "cancel-approval")
        if status == "cancellation_requested":
            assert verdict != "change"
        if verdict == "change":
            assert verb not in ("approve", "reject", "recall") or last == "submit"
            status, last = MOVES[verb].target, verb


@given(entries, callers)
def test_nobody_approves_what_they_submitted_or_are_the_resource_of(entry: Standing, who: Principal) -> None:
    verdict = judge("approve", entry, who, NOTHING_SET, self_approval=False)
    if who.sub in (entry.resource, entry.submitted_by):
        assert verdict != "change"


@given(entries, callers, verbs)
def test_self_approval_where_it_is_configured_changes_nothing_else(entry: Standing, who: Principal, verb: Verb) -> None:
    strict = judge(verb, entry, who, NOTHING_SET, self_approval=False)
    free = judge(verb, entry, who, NOTHING_SET, self_approval=True)
    if isinstance(strict, Refused) and strict.reason == "self_approval":
        assert free == "change"
    else:
        assert free == strict


@given(entries, callers, verbs)
def test_nothing_outside_the_caller_s_reach_moves(entry: Standing, who: Principal, verb: Verb) -> None:
    verdict = judge(verb, entry, who, NOTHING_SET, self_approval=True)
    if "admin" in who.roles or not isinstance(verdict, str):
        return
    if MOVES[verb].role == "approver":
        assert who.projects is None or entry.project in who.projects
    else:
        assert who.sub in (entry.resource, entry.submitted_by or entry.created_by)


@given(entries, callers, verbs)
def test_who_does_not_see_an_entry_is_not_told_that_it_exists(entry: Standing, who: Principal, verb: Verb) -> None:
    sees = bool(who.roles - {"submitter"}) or who.sub in (entry.resource, entry.submitted_by or entry.created_by)
    verdict = judge(verb, entry, who, NOTHING_SET, self_approval=True)
    assert (isinstance(verdict, Refused) and verdict.reason == "not_found") == (not sees)


@pytest.mark.parametrize(
    ("override", "same"),
    [
        (NOTHING_SET, True),
        (Override(Decimal(8)), True),
        (Override(Decimal(6)), False),
        (Override(Decimal(0)), False),
        (Override(None, "complimentary"), True),
        (Override(None, "chargeable"), False),
    ],
)
def test_an_approval_that_says_something_else_is_not_the_one_on_record(override: Override, same: bool) -> None:
    entry = standing("approved", billing_type="complimentary")
    verdict = judge("approve", entry, ADMIN, override, self_approval=False)
    assert (verdict == "unchanged") == same
    assert same or (isinstance(verdict, Refused) and verdict.reason == "wrong_state")
