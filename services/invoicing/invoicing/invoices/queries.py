"""SQL of invoices: find, lock, list, change and remember."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from invoicing.invoices.rules import OPEN, Status, Sums
from invoicing.invoices.schemas import InvoiceFilter
from invoicing.invoices.tables import Invoice
from proforma.context import Context
from proforma.db import execute, fetch
from proforma.errors import NotFound
from proforma.pages import after_id

# Row locks in the order of ids: two that lock the same invoices in another order would wait for each other.
LOCK = "select * from invoices where id = any($1::uuid[]) order by id for update"
LOCK_OPEN = "select * from invoices where run_id = any($1::uuid[]) and status = any($2::text[]) order by id for update"
CHANGE = """
update invoices i set
  status = coalesce(c.status, i.status), details = i.details + c.details, lines = i.lines + c.lines,
  subtotal = i.subtotal + c.subtotal, tax = i.tax + c.tax, total = i.total + c.subtotal + c.tax,
  version = i.version + 1, updated_at = $7
from unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::numeric[], $6::numeric[])
  c (id, status, details, lines, subtotal, tax)
where i.id = c.id
"""
# By the index of open runs, whose condition this is.
OPEN_AMOUNTS = """
select status, currency, sum(subtotal) as amount from invoices
where status in ('building', 'draft', 'in_review') group by status, currency
"""
HISTORY = """
select id, at, by, action, reason, before, after from invoice_history
where invoice_id = $1 and id > coalesce($2::uuid, '00000000-0000-0000-0000-000000000000') order by id limit $3
"""
REMEMBER = """
insert into invoice_history (invoice_id, id, at, by, action, reason, before, after)
select i, h, $7, $8, a, r, b, f
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[]) rows (i, h, a, r, b, f)
"""


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction changes on one invoice; `status` None: it stays."""

    invoice_id: UUID
    status: Status | None = None
    sums: Sums = field(default_factory=Sums)
    lines: int = 0


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of an invoice's history."""

    invoice_id: UUID
    action: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    reason: str | None = None


async def one(session: AsyncSession, invoice_id: UUID) -> Invoice:
    """The invoice; raises NotFound."""
    found = await session.get(Invoice, invoice_id, populate_existing=True)
    if found is None:
        raise NotFound(f"no invoice {invoice_id}")
    return found


async def lock(session: AsyncSession, invoice_id: UUID) -> Invoice:
    """The invoice, locked until the transaction ends; raises NotFound."""
    found = await session.get(Invoice, invoice_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound(f"no invoice {invoice_id}")
    return found


async def lock_many(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, Mapping[str, Any]]:
    """Those of `ids` that exist, locked."""
    return {row["id"]: row for row in await fetch(session, LOCK, list(ids))}


async def lock_open(session: AsyncSession, run_ids: Sequence[UUID]) -> dict[UUID, Mapping[str, Any]]:
    """The open draft of each run that has one, locked; by run."""
    return {row["run_id"]: row for row in await fetch(session, LOCK_OPEN, list(run_ids), list(OPEN))}


async def page(session: AsyncSession, wanted: InvoiceFilter) -> Sequence[Invoice]:
    """One more than the page holds, in the order of ids."""
    equal = wanted.model_dump(
        include={"status", "kind", "contract_id", "customer_id", "number", "run_id"}, exclude_none=True
    )
    query = select(Invoice).filter_by(**equal).order_by(col(Invoice.id)).limit(wanted.limit + 1)
    if wanted.invoice_date_from is not None:
        query = query.where(col(Invoice.invoice_date) >= wanted.invoice_date_from)
    if wanted.invoice_date_to is not None:
        query = query.where(col(Invoice.invoice_date) <= wanted.invoice_date_to)
    if (after := after_id(wanted.after)) is not None:
        query = query.where(col(Invoice.id) > after)
    return (await session.scalars(query)).all()


async def change(session: AsyncSession, context: Context, changes: Sequence[Change]) -> None:
    """Applies changes of locked invoices. Raises every version: a confirm names the one that was reviewed."""
    await execute(
        session,
        CHANGE,
        [one.invoice_id for one in changes],
        [one.status for one in changes],
        [one.sums.details for one in changes],
        [one.lines for one in changes],
        [one.sums.chargeable for one in changes],
        [one.sums.tax for one in changes],
        context.clock.now(),
    )


async def remember(session: AsyncSession, context: Context, happened: Sequence[Happened]) -> None:
    """Writes who did what and when."""
    await execute(
        session,
        REMEMBER,
        [one.invoice_id for one in happened],
        [context.ids() for _ in happened],
        [one.action for one in happened],
        [one.reason for one in happened],
        [_json(one.before) for one in happened],
        [_json(one.after) for one in happened],
        context.clock.now(),
        context.actor,
    )


async def history(session: AsyncSession, invoice_id: UUID, after: UUID | None, limit: int) -> list[Mapping[str, Any]]:
    """One more than the page holds, oldest first."""
    return await fetch(session, HISTORY, invoice_id, after, limit + 1)


def _json(fields: Mapping[str, Any] | None) -> str | None:
    # Decimals and dates as text: what was 1.10 must not be remembered as 1.1.
    return None if fields is None else json.dumps(fields, default=str)
