"""Questions on to entries and answers on to them: one statement for all, with their history."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import execute, fetch, fetch_one
from time_expense.cancellations.rules import Answer, Approved

ASK = """
with wanted as (
  select * from unnest($1::uuid[], $2::uuid[]) as rows (id, request_id)
), asked as (
  update entries set
    status = 'cancellation_requested', request_id = wanted.request_id, asked_by = $3, asked_at = $4, asked_reason = $5,
    answer_outcome = null, answer_reason = null, answer_invoice_id = null, version = version + 1, updated_at = $4
  from wanted where entries.id = wanted.id
  returning entries.*
), noted as (
  insert into entry_history (entry_id, version, action, status, by, at, reason, changes)
  select id, version, 'cancellation_requested', status, $3, $4, $5, null from asked
)
select * from asked order by project, id
"""
OPEN = """
select id, revision, request_id, project, asked_by, asked_at, asked_reason
from entries where id = $1 and status = 'cancellation_requested' for update
"""
# In id order, as the verbs lock: answers and verbs over the same entries would otherwise lock them crosswise.
LOCK = """
select id, version, status, revision, request_id, billable_quantity, billing_type
from entries where id = any($1::uuid[]) order by id for update
"""
ANSWER = """
update entries set
  version = rows.version, status = rows.status, updated_at = $7,
  request_id = null, asked_at = null, asked_by = null, asked_reason = null,
  answer_outcome = rows.outcome, answer_reason = rows.reason, answer_invoice_id = rows.invoice_id,
  decided_by = case when rows.outcome = 'refused' then decided_by end,
  decided_at = case when rows.outcome = 'refused' then decided_at end,
  billable_quantity = case when rows.outcome = 'refused' then billable_quantity end,
  billing_type = case when rows.outcome = 'refused' then billing_type end
from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::uuid[])
  as rows (id, version, status, outcome, reason, invoice_id)
where entries.id = rows.id
"""


async def ask(
    session: AsyncSession, questions: Sequence[tuple[UUID, UUID]], actor: str, at: datetime, reason: str
) -> list[asyncpg.Record]:
    """Opens questions, (entry, request), about locked entries; returns the entries by project and id."""
    entries, requests = [entry for entry, _ in questions], [request for _, request in questions]
    return await fetch(session, ASK, entries, requests, actor, at, reason)


async def open_question(session: AsyncSession, entry_id: UUID) -> asyncpg.Record | None:
    """The open question about an entry, held until the transaction ends; None when there is none."""
    return await fetch_one(session, OPEN, entry_id)


async def lock(session: AsyncSession, ids: Sequence[UUID]) -> list[Approved]:
    """The entries of `ids` that exist, in id order, held until the transaction ends."""
    return [Approved(**record) for record in await fetch(session, LOCK, ids)]


async def answer(session: AsyncSession, at: datetime, settled: Sequence[tuple[Approved, Answer]]) -> None:
    """Writes the last answer of each locked entry, with what the entry is after it."""
    await execute(
        session,
        ANSWER,
        [entry.id for entry, _ in settled],
        [entry.version for entry, _ in settled],
        [entry.status for entry, _ in settled],
        [told.outcome for _, told in settled],
        [told.reason for _, told in settled],
        [told.invoice_id for _, told in settled],
        at,
    )
