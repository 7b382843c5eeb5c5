"""Editing a draft's own fields."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.invoices import queries
from invoicing.invoices.queries import Change, Happened
from invoicing.invoices.rules import EDITABLE, require
from invoicing.invoices.tables import Invoice
from proforma.context import Context
from proforma.db import fetch
from proforma.http import match
from proforma.sums import Sums

DRAFTED = Gauge("proforma_draft_amount", "Amounts of open drafts, without tax", ["currency", "status"])


async def measure(session: AsyncSession) -> None:
    """Sets the gauge of what lies on drafts, by status and currency."""
    rows = await fetch(session, queries.OPEN_AMOUNTS)
    DRAFTED.clear()
    for row in rows:
        DRAFTED.labels(row["currency"], row["status"]).set(row["amount"])


SUMS = Sums((DRAFTED,), measure)


async def edit(
    session: AsyncSession, context: Context, invoice_id: UUID, expected: int | None, given: Mapping[str, Any]
) -> Invoice:
    """Sets the `given` fields of a draft.

    Who changes what a reviewer has before them without saying so takes the invoice out of review. Raises NotFound,
    Conflict in another state, Stale. What already is as wanted changes nothing, not even the version.
    """
    invoice = await queries.lock(session, invoice_id)
    require(invoice.status, EDITABLE, "edit it")
    match(invoice.version, expected)
    changed = {name: value for name, value in given.items() if getattr(invoice, name) != value}
    if not changed:
        return invoice
    if "status" not in given and invoice.status != "draft":
        changed["status"] = "draft"
    before = {name: getattr(invoice, name) for name in changed}
    for name, value in changed.items():
        setattr(invoice, name, value)
    await session.flush()
    await queries.change(session, context, [Change(invoice.id)])
    await queries.remember(session, context, [Happened(invoice.id, "edited", before, changed)])
    return await queries.one(session, invoice_id)
