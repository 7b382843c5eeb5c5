"""Questions whether an approval may be cancelled: each is answered, and what may be taken back is."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.cancellations.rules import REFUSED, REVERSED, WRONG_STATE, Answer, Known, Question, decide
from billing_backlog.contracts.queries import lock_contracts
from billing_backlog.entries.queries import SEEN
from billing_backlog.ledger import service as ledger
from billing_backlog.withdrawals.queries import of_entries
from billing_backlog.withdrawals.rules import Standing, held
from billing_backlog.withdrawals.service import take_back
from proforma import outbox
from proforma.context import Context
from proforma.db import execute, fetch, lock_keys
from proforma.events.billing_backlog import CancellationAnswer, CancellationsAnswered

ANSWERS_MAX = 500

# A cancellation that comes before its approval leaves this: the approval, now late, finds its revision reversed.
TOMBSTONE = """
insert into entries (entry_id, revision, state, project, updated_at)
select e, r, 'reversed', p, $4 from unnest($1::uuid[], $2::int[], $3::text[]) rows (e, r, p)
order by e on conflict (entry_id) do nothing
"""
KEEP = """
update entries set revision = r, state = 'reversed', updated_at = $3,
  content = case when revision = r then content end, content_hash = case when revision = r then content_hash end
from unnest($1::uuid[], $2::int[]) rows (e, r) where entry_id = e
"""


async def cancel(session: AsyncSession, context: Context, questions: Sequence[Question]) -> None:
    """Takes back what no invoice has, all of its entry's rows, and answers every question.

    Locks projects (shared), entries, then the contracts that have their work, and looks again behind that. Only who
    holds the entry moves its work to another contract, so the contracts cannot become more.
    """
    await lock_keys(session, "project", {one.project for one in questions}, shared=True)
    known = await _lock_entries(session, context, questions)
    before = await of_entries(session, known)
    await lock_contracts(session, _contracts(before))
    standing = await of_entries(session, known)
    holds = {entry_id: held(rows) for entry_id, rows in standing.items()}
    made = decide(questions, known, holds)
    gone = [row for entry_id in made.taken_back for row in standing[entry_id]]
    reversals = await take_back(session, context, gone, "cancel")
    now = {entry_id: one for entry_id, one in made.known.items() if one != known.get(entry_id)}
    await execute(session, KEEP, list(now), [one.revision for one in now.values()], context.clock.now())
    await ledger.tell(session, context, reversals)
    await _tell(session, context, made.answers, before)


async def refuse(session: AsyncSession, context: Context, questions: Sequence[Question]) -> None:
    """Answers questions that nobody will look at any more: refused, but for what is reversed already."""
    rows = await fetch(session, SEEN, sorted({one.entry_id for one in questions}))
    known = {row["entry_id"]: Known(row["revision"], row["state"]) for row in rows}
    answers = []
    for one in questions:
        now = known.get(one.entry_id)
        done = now is not None and (
            one.revision < now.revision or (one.revision, REVERSED) == (now.revision, now.state)
        )
        answers.append(Answer(one, REVERSED) if done else Answer(one, REFUSED, WRONG_STATE))
    await _tell(session, context, answers, await of_entries(session, known))


async def _lock_entries(session: AsyncSession, context: Context, questions: Sequence[Question]) -> dict[UUID, Known]:
    """What is known of each entry, locked. An entry that is not known gets its tombstone here, and is locked by it."""
    lowest = {one.entry_id: one for one in sorted(questions, key=lambda one: -one.revision)}
    await execute(
        session,
        TOMBSTONE,
        list(lowest),
        [one.revision for one in lowest.values()],
        [one.project for one in lowest.values()],
        context.clock.now(),
    )
    rows = await fetch(session, SEEN, list(lowest))
    return {row["entry_id"]: Known(row["revision"], row["state"]) for row in rows}


def _contracts(standing: Mapping[UUID, Collection[Standing]]) -> set[UUID]:
    return {row.contract_id for rows in standing.values() for row in rows if row.contract_id is not None}


async def _tell(
    session: AsyncSession, context: Context, answers: Sequence[Answer], standing: Mapping[UUID, Collection[Standing]]
) -> None:
    """One event for each contract, or project without one, 500 answers at most."""
    groups: dict[tuple[UUID | None, str], list[CancellationAnswer]] = defaultdict(list)
    for one in answers:
        asked = one.question
        contract = next((row.contract_id for row in standing.get(asked.entry_id, ()) if row.contract_id), None)
        groups[contract, asked.project].append(
            CancellationAnswer(
                id=asked.entry_id, revision=asked.revision, request_id=asked.request_id, outcome=one.outcome,
                reason=one.reason, invoice_id=one.invoice_id,
            )
        )  # fmt: skip
    events = [
        CancellationsAnswered(contract_id=contract, project=project, entries=group[at : at + ANSWERS_MAX])
        for (contract, project), group in groups.items()
        for at in range(0, len(group), ANSWERS_MAX)
    ]
    await outbox.emit(session, context, events)
