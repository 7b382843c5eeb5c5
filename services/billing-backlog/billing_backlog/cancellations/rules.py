"""What a question for a cancellation is answered, by the entry's highest revision and what holds its work. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from billing_backlog.withdrawals.rules import Hold

Outcome = Literal["reversed", "refused"]
REVERSED: Outcome = "reversed"
REFUSED: Outcome = "refused"
WRONG_STATE = "wrong_state"


@dataclass(frozen=True, slots=True)
class Question:
    """May this revision of the entry be cancelled?"""

    entry_id: UUID
    revision: int
    request_id: UUID
    project: str


@dataclass(frozen=True, slots=True)
class Known:
    """The entry's highest revision and its state, approved or reversed."""

    revision: int
    state: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of one question. `hold` says what a refusal is for."""

    question: Question
    outcome: Outcome
    reason: str | None = None
    invoice_id: UUID | None = None


@dataclass(slots=True)
class Decision:
    """The answers, in the order of the questions; the entries whose work is taken back; and what is known then."""

    answers: list[Answer] = field(default_factory=list)
    taken_back: list[UUID] = field(default_factory=list)
    known: dict[UUID, Known] = field(default_factory=dict)


def decide(questions: Sequence[Question], known: Mapping[UUID, Known], holds: Mapping[UUID, Hold | None]) -> Decision:
    """Answers every question, lower revisions first, repeats and all.

    *Reversed* is final: a revision that is reversed, or lower than the known one, is reversed again. A revision that
    is not known yet leaves a tombstone, so that its approval, now late, does nothing; while a lower one stands it is
    refused, because a tombstone would take the lower one's rows out of everybody's sight (design §5.4).
    """
    made = Decision(known=dict(known))
    for one in sorted(questions, key=lambda one: (one.entry_id, one.revision)):
        now = made.known.get(one.entry_id)
        made.answers.append(_answer(one, now, holds.get(one.entry_id)))
        if made.answers[-1].outcome == REVERSED and (now is None or one.revision >= now.revision):
            if now is not None and now.state == "approved":
                made.taken_back.append(one.entry_id)
            made.known[one.entry_id] = Known(one.revision, REVERSED)
    return made


def _answer(one: Question, now: Known | None, hold: Hold | None) -> Answer:
    if now is None or now.state == REVERSED or one.revision < now.revision:
        return Answer(one, REVERSED)
    if one.revision > now.revision:
        return Answer(one, REFUSED, WRONG_STATE)
    if hold is not None:
        return Answer(one, REFUSED, hold.reason, hold.invoice_id)
    return Answer(one, REVERSED)
