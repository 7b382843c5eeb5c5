"""Locks and set-based moves of entries: one statement for all that change, with their history."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import column, func, insert, literal, select, table
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from proforma.db import fetch
from time_expense.approvals.rules import Override, Standing, Verb
from time_expense.entries.queries import conditions
from time_expense.entries.rules import Scope
from time_expense.entries.schemas import EntryFilter
from time_expense.entries.tables import Entry

# In id order: two bulk calls over the same entries would otherwise lock them crosswise and wait for each other.
LOCK = """
select id, version, status, project, resource, submitted_by, created_by, billable_quantity, billing_type
from entries where id = any($1::uuid[]) order by id for update
"""

_SETS: Mapping[Verb, str] = {
    "submit": "status = 'submitted', submitted_by = $4, submitted_at = $5,"
    " decided_by = null, decided_at = null, reason = null",
    "recall": "status = 'draft', submitted_by = null, submitted_at = null",
    "approve": "status = 'approved', revision = revision + 1, decided_by = $4, decided_at = $5, reason = null,"
    " billable_quantity = coalesce(wanted.billable_quantity, quantity), billing_type = wanted.billing_type,"
    " answer_outcome = null, answer_reason = null, answer_invoice_id = null",
    "reject": "status = 'rejected', decided_by = $4, decided_at = $5, reason = $6",
}
_ACTIONS: Mapping[Verb, str] = {
    "submit": "submitted",
    "recall": "recalled",
    "approve": "approved",
    "reject": "rejected",
}
_MOVE = """
with wanted as (
  select * from unnest($1::uuid[], $2::numeric[], $3::text[]) as rows (id, billable_quantity, billing_type)
), moved as (
  update entries set {sets}, version = version + 1, updated_at = $5 from wanted where entries.id = wanted.id
  returning entries.*
), noted as (
  insert into entry_history (entry_id, version, action, status, by, at, reason, changes)
  select id, version, $7, status, $4, $5, $6, {changes} from moved
)
select * from moved order by project, id
"""
_APPROVED = (
    "json_build_object("
    "'billable_quantity', json_build_object('before', null, 'after', billable_quantity::text),"
    " 'billing_type', json_build_object('before', null, 'after', billing_type))::text"
)
MOVE: Mapping[Verb, str] = {
    verb: _MOVE.format(sets=sets, changes=_APPROVED if verb == "approve" else "null") for verb, sets in _SETS.items()
}

_TARGETS = table("job_targets", column("job_id"), column("n"), column("target_id"))


async def lock(session: AsyncSession, ids: Sequence[UUID]) -> list[Standing]:
    """The entries of `ids` that exist, in id order, held until the transaction ends."""
    return [Standing(**record) for record in await fetch(session, LOCK, ids)]


async def move(
    session: AsyncSession,
    verb: Verb,
    wanted: Sequence[tuple[UUID, Override]],
    actor: str,
    at: datetime,
    reason: str | None,
) -> list[asyncpg.Record]:
    """Moves locked entries and writes their history, in one statement; returns them by project and id.

    By every verb but cancel-approval: that is a question, with an id for each entry (`cancellations`).
    """
    return await fetch(
        session,
        MOVE[verb],
        [entry_id for entry_id, _ in wanted],
        [override.billable_quantity for _, override in wanted],
        [override.billing_type for _, override in wanted],
        actor,
        at,
        reason,
        _ACTIONS[verb],
    )


async def ids_of(session: AsyncSession, wanted: EntryFilter, scope: Scope, limit: int) -> list[UUID]:
    """The first `limit` entries of a filter, by id."""
    query = select(col(Entry.id)).where(*conditions(wanted, scope)).order_by(col(Entry.id)).limit(limit)
    return list(await session.scalars(query))


async def fix_targets(session: AsyncSession, job_id: UUID, wanted: EntryFilter, scope: Scope) -> int:
    """Writes the entries of a filter into the job's targets, in one statement; returns how many."""
    rank = func.row_number().over(order_by=col(Entry.id))
    chosen = select(literal(job_id), rank, col(Entry.id)).where(*conditions(wanted, scope))
    written = await session.execute(insert(_TARGETS).from_select(["job_id", "n", "target_id"], chosen))
    return int(getattr(written, "rowcount", 0))


async def next_targets(session: AsyncSession, job_id: UUID, after: int, limit: int) -> list[asyncpg.Record]:
    """The job's next targets behind number `after`."""
    sql = "select n, target_id from job_targets where job_id = $1 and n > $2 order by n limit $3"
    return await fetch(session, sql, job_id, after, limit)
