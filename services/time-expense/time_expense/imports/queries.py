"""Locks and set-based updates of the entries that an import names."""

from collections.abc import Sequence
from dataclasses import fields

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import fetch
from time_expense.entries.queries import Stamp
from time_expense.imports.rules import Known, Work

# An entry's class never changes.
WORK = tuple(one.name for one in fields(Work) if one.name != "entry_class")

LOCK = """
select id, external_id, version, status, submitted_by, created_by, class, project, task, resource, role, date, quantity,
  unit, description, external_description, category, product, write_in, unit_cost, currency
from entries where external_id = any($1::text[]) order by id for update
"""
UPDATE = """
update entries set
  version = rows.version, project = rows.project, task = rows.task, resource = rows.resource, role = rows.role,
  date = rows.date, quantity = rows.quantity, unit = rows.unit, description = rows.description,
  external_description = rows.external_description, category = rows.category, product = rows.product,
  write_in = rows.write_in, unit_cost = rows.unit_cost, currency = rows.currency,
  status = case when $17::text = 'draft' then status else $17 end,
  revision = revision + case when $17 = 'approved' then 1 else 0 end,
  submitted_by = case when $17 = 'draft' then submitted_by else $18::text end,
  submitted_at = case when $17 = 'draft' then submitted_at else $19::timestamptz end,
  decided_by = case $17 when 'draft' then decided_by when 'approved' then $18 end,
  decided_at = case $17 when 'draft' then decided_at when 'approved' then $19 end,
  reason = case when $17 = 'draft' then reason end,
  billable_quantity = case when $17 = 'approved' then rows.quantity end,
  billing_type = null,
  answer_outcome = case when $17 <> 'approved' then answer_outcome end,
  answer_reason = case when $17 <> 'approved' then answer_reason end,
  answer_invoice_id = case when $17 <> 'approved' then answer_invoice_id end,
  updated_at = $19
from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::date[], $8::numeric[],
            $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::numeric[], $16::text[])
  as rows (id, version, project, task, resource, role, date, quantity, unit, description, external_description,
           category, product, write_in, unit_cost, currency)
where entries.id = rows.id
returning entries.*
"""


async def lock(session: AsyncSession, external_ids: Sequence[str]) -> dict[str, Known]:
    """The entries of these external ids, held until the transaction ends."""
    return {
        record["external_id"]: Known(
            record["id"], record["version"], record["status"], record["submitted_by"], record["created_by"],
            Work(entry_class=record["class"], **{name: record[name] for name in WORK}),
        )
        for record in await fetch(session, LOCK, external_ids)
    }  # fmt: skip


async def update(session: AsyncSession, stamp: Stamp, entries: Sequence[Known]) -> list[asyncpg.Record]:
    """Writes locked entries as they are now, and takes them on to the stamp's state, in one statement."""
    columns = [[getattr(entry.work, name) for entry in entries] for name in WORK]
    return await fetch(
        session,
        UPDATE,
        [entry.id for entry in entries],
        [entry.version for entry in entries],
        *columns,
        stamp.status,
        stamp.actor,
        stamp.at,
    )
