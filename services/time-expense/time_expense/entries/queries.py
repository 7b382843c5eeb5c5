"""Reads and set-based writes of entries and their history."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from proforma.db import copy, fetch
from time_expense.entries.rules import Scope
from time_expense.entries.schemas import EntryFilter
from time_expense.entries.tables import Entry, HistoryRow

_WORK = """id, external_id, class, project, task, resource, role, category, product, write_in, date, quantity, unit,
  unit_cost, currency, description, external_description, version"""
INSERT = f"""
insert into entries (
  {_WORK},
  status, revision, submitted_by, submitted_at, decided_by, decided_at, billable_quantity,
  created_at, created_by, updated_at)
select
  {_WORK},
  $19::text,
  case when $19 = 'approved' then 1 else 0 end,
  case when $19 <> 'draft' then $20::text end, case when $19 <> 'draft' then $21::timestamptz end,
  case when $19 = 'approved' then $20 end, case when $19 = 'approved' then $21 end,
  case when $19 = 'approved' then quantity end,
  $21, $20, $21
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::date[], $12::numeric[], $13::text[], $14::numeric[], $15::text[], $16::text[],
            $17::text[], $18::int[])
  as rows ({_WORK})
-- In one order for all, or two imports of the same rows would wait for each other's.
order by external_id, id
on conflict (external_id) do nothing
returning *
"""


class Noted(NamedTuple):
    """A row for the history. A table object for each would cost an import of thousands most of its time."""

    entry_id: UUID
    version: int
    action: str
    status: str
    by: str
    at: datetime
    changes: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who writes, when, and the state that new entries begin in."""

    status: str
    actor: str
    at: datetime


def conditions(wanted: EntryFilter, scope: Scope) -> list[ColumnElement[bool]]:
    """The WHERE of a filter, inside what the caller may reach."""
    equal = {
        Entry.status: wanted.status,
        Entry.entry_class: wanted.entry_class,
        Entry.project: wanted.project,
        Entry.resource: wanted.resource,
        Entry.external_id: wanted.external_id,
    }
    found = [col(column) == value for column, value in equal.items() if value is not None]
    if wanted.date_from is not None:
        found.append(col(Entry.date) >= wanted.date_from)
    if wanted.date_to is not None:
        found.append(col(Entry.date) <= wanted.date_to)
    return [*found, *within(scope)]


def within(scope: Scope) -> list[ColumnElement[bool]]:
    """The WHERE of a scope."""
    found: list[ColumnElement[bool]] = []
    if scope.own_of is not None:
        mine = (col(Entry.submitted_by).is_(None)) & (col(Entry.created_by) == scope.own_of)
        found.append(or_(col(Entry.resource) == scope.own_of, col(Entry.submitted_by) == scope.own_of, mine))
    if scope.projects is not None:
        found.append(col(Entry.project).in_(sorted(scope.projects)))
    return found


def page(wanted: EntryFilter, scope: Scope, after: UUID | None, limit: int) -> Select[Entry]:
    """One entry more than the page holds, by id."""
    query = select(Entry).where(*conditions(wanted, scope)).order_by(col(Entry.id)).limit(limit + 1)
    return query if after is None else query.where(col(Entry.id) > after)


async def one(session: AsyncSession, entry_id: UUID, scope: Scope, *, lock: bool = False) -> Entry | None:
    """One entry that the caller may reach; `lock` holds it until the transaction ends."""
    query = select(Entry).where(col(Entry.id) == entry_id, *within(scope))
    return (await session.scalars(query.with_for_update() if lock else query)).one_or_none()


async def history(session: AsyncSession, entry_id: UUID, after: int, limit: int) -> list[HistoryRow]:
    """One row more than the page holds, oldest first."""
    query = (
        select(HistoryRow)
        .where(col(HistoryRow.entry_id) == entry_id, col(HistoryRow.version) > after)
        .order_by(col(HistoryRow.version))
        .limit(limit + 1)
    )
    return list(await session.scalars(query))


async def insert(session: AsyncSession, stamp: Stamp, rows: Sequence[Mapping[str, Any]]) -> list[asyncpg.Record]:
    """Inserts entries in one statement; returns those whose external_id was not taken, in no order.

    Each row: id, external_id, class, the fields of the work, version.
    """
    names = (
        "id", "external_id", "class", "project", "task", "resource", "role", "category", "product", "write_in",
        "date", "quantity", "unit", "unit_cost", "currency", "description", "external_description", "version",
    )  # fmt: skip
    columns = [[row[name] for row in rows] for name in names]
    return await fetch(session, INSERT, *columns, stamp.status, stamp.actor, stamp.at)


def changes(differences: Mapping[str, Any]) -> str | None:
    """Differences as the history keeps them; None when there are none."""
    return json.dumps(differences) if differences else None


async def note(session: AsyncSession, rows: Sequence[Noted]) -> None:
    """Adds rows to the history."""
    await copy(session, "entry_history", Noted._fields, rows)
