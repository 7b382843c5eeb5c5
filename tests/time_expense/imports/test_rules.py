"""What rows do to entries: the same wherever the steps of an import are cut, and nothing on a second sending."""

import datetime as dt
import itertools
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from time_expense.entries.rules import Scope
from time_expense.imports.rules import ImportState, Known, Row, Settled, Target, Work, settle

WORK = Work("time", "P-1", "design", "ada", "dev", dt.date(2026, 2, 27), Decimal("8.00"), "hour", None, None)
EVERYBODY = Scope()


def target(state: ImportState = "draft", **fields: Any) -> Target:
    given_fields: dict[str, Any] = {
        "sub": "pm", "editing": EVERYBODY, "deciding": EVERYBODY, "self_approval": False, **fields,
    }  # fmt: skip
    return Target(state, **given_fields)


def known(status: str, work: Work = WORK, **fields: Any) -> Known:
    given_fields: dict[str, Any] = {
        "id": UUID(int=1), "version": 3, "submitted_by": None if status == "draft" else "ada",
        "created_by": "ada", **fields,
    }  # fmt: skip
    return Known(status=status, work=work, **given_fields)


def rows(*works: Work) -> list[Row]:
    return [Row(line, "te-1", work) for line, work in enumerate(works, start=2)]


def play(some: list[Row], entry: Known | None, where: Target) -> Settled:
    numbers = itertools.count(100)
    return settle(some, entry, where, lambda: UUID(int=next(numbers)))


CHANGED = replace(WORK, quantity=Decimal("6.00"))
works = st.sampled_from(
    [
        WORK,
        CHANGED,
        replace(WORK, task=None),
        replace(WORK, resource="pm"),
        replace(WORK, project="P-2"),
        replace(WORK, entry_class="expense"),
    ]
)
states = st.sampled_from(["draft", "submitted", "approved"])
entries = st.none() | st.builds(
    known,
    st.sampled_from(["draft", "submitted", "approved", "rejected"]),
    works,
    created_by=st.sampled_from(["ada", "pm"]),
)
targets = st.builds(
    target,
    states,
    editing=st.sampled_from([EVERYBODY, Scope(own_of="pm")]),
    deciding=st.sampled_from([EVERYBODY, Scope(projects=frozenset({"P-1"}))]),
    self_approval=st.booleans(),
)


@pytest.mark.parametrize("state", ["draft", "submitted", "approved"])
def test_an_unknown_one_is_made_in_the_wanted_state(state: ImportState) -> None:
    made = play(rows(WORK), None, target(state))
    assert (made.created, made.updated, made.unchanged, made.problems) == (1, 0, 0, [])
    assert made.entry is not None
    assert (made.entry.status, made.entry.version, made.entry.created_by) == (state, 1, "pm")
    assert made.entry.submitted_by == (None if state == "draft" else "pm")


@pytest.mark.parametrize("status", ["draft", "submitted", "approved", "rejected"])
def test_a_known_and_same_one_is_left_alone_in_every_state(status: str) -> None:
    entry = known(status)
    same = replace(WORK, quantity=Decimal(8))
    assert play(rows(same), entry, target("approved")) == Settled(entry, entry, unchanged=1)


@pytest.mark.parametrize(
    ("status", "state", "after"),
    [
        ("draft", "draft", "draft"),
        ("draft", "submitted", "submitted"),
        ("draft", "approved", "approved"),
        ("rejected", "draft", "rejected"),
        ("rejected", "submitted", "submitted"),
        ("rejected", "approved", "approved"),
        ("submitted", "submitted", None),
        ("approved", "approved", None),
        ("approved", "draft", None),
    ],
)
def test_a_known_and_changed_one_is_updated_where_it_may_be_edited(
    status: str, state: ImportState, after: str | None
) -> None:
    entry = known(status)
    settled = play(rows(CHANGED), entry, target(state))
    if after is None:
        assert [one.reason for one in settled.problems] == ["wrong_state"]
        assert settled.entry == entry
        assert settled.steps == []
    else:
        assert settled.entry is not None
        assert (settled.updated, settled.entry.status, settled.entry.version) == (1, after, 4)
        assert settled.entry.work == CHANGED
        assert settled.entry.created_by == "ada"


def test_rows_are_refused_with_their_line_and_reason() -> None:
    others = replace(WORK, resource="bob")
    own = replace(WORK, resource="pm")
    elsewhere = replace(WORK, project="P-2")
    narrow = Scope(projects=frozenset({"P-1"}))
    cases: list[tuple[Work, Known | None, Target, str | None]] = [
        (own, None, target("approved"), "self_approval"),
        (own, None, target("approved", self_approval=True), None),
        (own, None, target("submitted"), None),
        (elsewhere, None, target("approved", deciding=narrow), "forbidden"),
        (elsewhere, None, target("submitted", deciding=narrow), None),
        (WORK, known("draft", elsewhere), target("approved", deciding=narrow), "forbidden"),
        (others, None, target("draft", editing=Scope(own_of="pm")), None),
        (CHANGED, known("draft"), target("draft", editing=Scope(own_of="pm")), "forbidden"),
        (CHANGED, known("draft", created_by="pm"), target("draft", editing=Scope(own_of="pm")), None),
        (others, known("draft", own), target("draft", editing=Scope(own_of="pm")), "forbidden"),
        (replace(WORK, entry_class="expense"), known("draft"), target("draft"), "validation"),
        (replace(WORK, entry_class="expense"), known("approved"), target("draft"), "wrong_state"),
    ]
    for work, entry, where, reason in cases:
        problems = [(one.line, one.external_id, one.reason) for one in play(rows(work), entry, where).problems]
        assert problems == ([] if reason is None else [(2, "te-1", reason)]), (work, entry, where)


@given(entries, st.lists(works, min_size=1, max_size=6), targets, st.data())
def test_it_does_not_matter_where_the_steps_are_cut(
    entry: Known | None, some: list[Work], where: Target, data: st.DataObject
) -> None:
    upload = rows(*some)
    cut = data.draw(st.integers(0, len(upload)))
    whole = play(upload, entry, where)
    first = play(upload[:cut], entry, where)
    second = play(upload[cut:], first.entry, where)
    if whole.entry is not None and second.entry is not None and entry is None:
        second.entry = replace(second.entry, id=whole.entry.id)
    assert second.entry == whole.entry
    for name in ("created", "updated", "unchanged", "problems"):
        assert getattr(first, name) + getattr(second, name) == getattr(whole, name)


@given(entries, st.lists(works, min_size=1, max_size=6), targets)
def test_each_row_counts_once_and_each_version_is_one_step(
    entry: Known | None, some: list[Work], where: Target
) -> None:
    settled = play(rows(*some), entry, where)
    assert settled.created + settled.updated + settled.unchanged + len(settled.problems) == len(some)
    assert settled.created + settled.updated == len(settled.steps)
    last = entry
    for before, after in settled.steps:
        assert before == last
        assert after.version == (before.version if before else 0) + 1
        last = after
    assert settled.entry == last


@given(entries, works, targets)
def test_a_row_that_took_effect_is_left_alone_when_it_is_sent_again(
    entry: Known | None, work: Work, where: Target
) -> None:
    first = play(rows(work), entry, where)
    again = play(rows(work), first.entry, where)
    if not first.problems:
        assert (again.unchanged, again.steps, again.problems) == (1, [], [])


@given(entries, st.lists(works, min_size=1, max_size=6), targets)
def test_nobody_imports_an_approval_of_own_work(entry: Known | None, some: list[Work], where: Target) -> None:
    settled = play(rows(*some), entry, where)
    for _, after in settled.steps:
        if after.status == "approved" and not where.self_approval:
            assert after.resource != where.sub
