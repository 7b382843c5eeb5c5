"""Cancelling an approval is a question to the ledger: it is asked, may be asked again, and is answered once."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from proforma import outbox
from proforma.context import Context
from proforma.errors import NotFound
from proforma.events.billing_backlog import CancellationAnswer
from proforma.events.time_expense import CancellationRequest, CancellationsRequested
from time_expense.cancellations import queries
from time_expense.cancellations.rules import Answer, Approved, take
from time_expense.entries import queries as entries
from time_expense.entries.rules import difference
from time_expense.entries.service import told

LEDGER = "billing-backlog"
"""Who answers, in an entry's history."""


async def ask(session: AsyncSession, context: Context, ids: Sequence[UUID], reason: str) -> list[asyncpg.Record]:
    """Asks whether the approvals of locked entries may be canceled, each under an id of its own.

    Returns the entries by project and id; the questions are in the outbox.
    """
    questions = [(entry_id, context.ids()) for entry_id in ids]
    asked = await queries.ask(session, questions, context.actor, context.clock.now(), reason)
    await _tell(session, context, asked)
    return asked


async def ask_again(session: AsyncSession, context: Context, thing: str) -> None:
    """Sends an open question again under its own id; raises NotFound when it has been answered meanwhile."""
    found = await queries.open_question(session, UUID(thing))
    if found is None:
        raise NotFound(f"nothing waits under {thing}")
    await _tell(session, context, [found])


async def answered(session: AsyncSession, context: Context, answers: Sequence[CancellationAnswer]) -> None:
    """Takes answers on to their entries, in the order of their coming; what they do not change stays as it is."""
    by_entry: dict[UUID, list[Answer]] = {}
    for one in answers:
        read = Answer(one.revision, one.request_id, one.outcome, one.reason, one.invoice_id)
        by_entry.setdefault(one.id, []).append(read)
    now = context.clock.now()
    settled: list[tuple[Approved, Answer]] = []
    history: list[entries.Noted] = []
    for entry in await queries.lock(session, list(by_entry)):
        steps = _steps(entry, by_entry[entry.id])
        settled += [(after, answer) for _, after, answer in steps[-1:]]
        history += [
            entries.Noted(
                entry.id, after.version, answer.outcome, after.status, LEDGER, now,
                entries.changes(_difference(before, after, answer)), answer.reason,
            )
            for before, after, answer in steps
        ]  # fmt: skip
    if settled:
        await queries.answer(session, now, settled)
        await entries.note(session, history)


def _steps(entry: Approved, answers: Sequence[Answer]) -> list[tuple[Approved, Approved, Answer]]:
    """Before, after and why of each version that the answers make."""
    steps = []
    for answer in answers:
        after = take(entry, answer)
        if after is not None:
            steps.append((entry, after, answer))
            entry = after
    return steps


def _difference(before: Approved, after: Approved, answer: Answer) -> dict[str, Any]:
    terms = ("billable_quantity", "billing_type")
    found = difference({name: getattr(before, name) for name in terms}, {name: getattr(after, name) for name in terms})
    return {**found, **difference({"invoice_id": None}, {"invoice_id": answer.invoice_id})}


async def _tell(session: AsyncSession, context: Context, asked: Sequence[Mapping[str, Any]]) -> None:
    await outbox.emit(session, context, list(told(CancellationsRequested, asked, _text, context.limits)))


def _text(row: Mapping[str, Any]) -> str:
    named = {"by": row["asked_by"], "at": row["asked_at"], "reason": row["asked_reason"]}
    return CancellationRequest.model_validate({**row, **named}).model_dump_json()
