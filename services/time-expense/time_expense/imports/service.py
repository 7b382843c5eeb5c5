"""Imports: an upload is kept first, then applied by a job, a thousand rows a step."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from proforma import jobs, outbox
from proforma.bodies import JobOut
from proforma.context import Context
from proforma.db import fetch_value
from proforma.errors import Forbidden
from time_expense.approvals.service import approved_events
from time_expense.entries import queries as entries
from time_expense.entries.rules import Scope, deciding, difference
from time_expense.entries.service import caller, noted
from time_expense.imports import queries
from time_expense.imports.rules import ImportState, Known, Problem, Row, Settled, Target, settle
from time_expense.uploads import service as uploads
from time_expense.uploads.rules import Form

KIND = "entries.import"
_DECIDERS = ("approver", "service")


@dataclass(slots=True)
class Applied:
    """What a step's rows have done."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)
    approved: list[dict[str, Any]] = field(default_factory=list)


async def start(
    session: AsyncSession,
    context: Context,
    stream: AsyncIterator[bytes],
    *,
    form: Form,
    charset: str,
    state: ImportState,
) -> JobOut:
    """Keeps the upload and queues the job that applies it. Raises Forbidden, TooLarge, Invalid.

    A call that is repeated meets its first one's job: by the stored answer, or, when that has expired, by the id
    that its Idempotency-Key makes.
    """
    if state == "approved" and not caller(context).may(*_DECIDERS):
        raise Forbidden("to import approved entries needs the role approver or service")
    job_id = context.once_id()
    if await fetch_value(session, "select true from jobs where id = $1", job_id):
        return await jobs.show(session, job_id)
    stored = await uploads.store(session, context.limits, job_id, stream)
    params = {"form": form, "charset": charset, "state": state, "bytes": stored.bytes, "lines": stored.lines}
    return await jobs.start(session, context, KIND, params, job_id)


async def apply(session: AsyncSession, context: Context, state: ImportState, rows: Sequence[Row]) -> Applied:
    """Applies rows to the entries that they name, in a handful of statements; tells the ledger what is approved."""
    target = _target(context, state)
    stamp = entries.Stamp(state, context.actor, context.clock.now())
    applied = Applied()
    pending: dict[str, list[Row]] = {}
    for row in rows:
        pending.setdefault(row.external_id, []).append(row)
    while pending:
        # What somebody else creates between lock and insert is known the next time round.
        taken = await _apply(session, context, target, stamp, pending, applied)
        pending = {external_id: pending[external_id] for external_id in taken}
    if state == "approved":
        applied.approved.sort(key=lambda record: (record["project"], record["id"]))
        await outbox.emit(session, context, list(approved_events(applied.approved, context.limits)))
    return applied


def _target(context: Context, state: ImportState) -> Target:
    who = caller(context)
    # Who imports for others may change what others imported; a submitter only their own.
    editing = Scope() if who.may(*_DECIDERS) else Scope(own_of=who.sub)
    return Target(state, who.sub, editing, deciding(who), context.self_approval)


async def _apply(
    session: AsyncSession,
    context: Context,
    target: Target,
    stamp: entries.Stamp,
    pending: dict[str, list[Row]],
    applied: Applied,
) -> list[str]:
    """Settles and writes each external id; returns those that were taken while we looked."""
    known = await queries.lock(session, list(pending))
    settled = {name: settle(rows, known.get(name), target, context.ids) for name, rows in pending.items()}
    new = [_values(name, one.entry) for name, one in settled.items() if one.entry and one.before is None]
    made = await entries.insert(session, stamp, new) if new else []
    ours = {record["external_id"] for record in made}
    taken = [row["external_id"] for row in new if row["external_id"] not in ours]
    for name in taken:
        del settled[name]
    changed = [one.entry for one in settled.values() if one.entry and one.before and one.steps]
    moved = await queries.update(session, stamp, changed) if changed else []
    await entries.note(session, [row for one in settled.values() for row in _history(one, stamp)])
    if target.state == "approved":
        applied.approved += [dict(record) for record in (*made, *moved)]
    for one in settled.values():
        applied.created += one.created
        applied.updated += one.updated
        applied.unchanged += one.unchanged
        applied.problems += one.problems
    return taken


def _values(external_id: str, entry: Known) -> dict[str, Any]:
    work = asdict(entry.work)
    named = {"id": entry.id, "external_id": external_id, "version": entry.version}
    return {**work, **named, "class": entry.work.entry_class}


def _history(settled: Settled, stamp: entries.Stamp) -> list[entries.Noted]:
    return [
        noted(
            after.id, after.version, after.status, "imported", stamp,
            difference(asdict(before.work), asdict(after.work)) if before else {},
        )
        for before, after in settled.steps
    ]  # fmt: skip
