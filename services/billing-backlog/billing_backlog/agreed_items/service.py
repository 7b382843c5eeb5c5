"""Agreed items: what milestones and product lines put among the open items, kept in step with them.

Every caller holds the contract's lock: a claim takes it too, so what is found to be free stays free (design §5.5).
"""

from collections.abc import Collection
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.agreed_items import queries
from proforma.context import Context
from proforma.db import execute, fetch
from proforma.errors import Conflict

Source = Literal["milestone", "product"]


async def put(session: AsyncSession, context: Context, source: Source, ids: Collection[UUID]) -> None:
    """Makes the items of these milestones or product lines, unbilled, or brings them up to date, as they are written.

    Raises RuntimeError when one is on an invoice or posted: `refuse_frozen` comes first.
    """
    sql = queries.PUT_MILESTONES if source == "milestone" else queries.PUT_PRODUCTS
    if await execute(session, sql, list(ids), context.actor, context.clock.now()) != len(set(ids)):
        raise RuntimeError(f"a {source} is on an invoice and was edited all the same")


async def remove(session: AsyncSession, ids: Collection[UUID]) -> None:
    """Takes the items of deleted milestones or product lines out of the open items."""
    await execute(session, queries.REMOVE, list(ids))


async def refuse_frozen(session: AsyncSession, what: str, ids: Collection[UUID], *, deleting: bool = False) -> None:
    """Raises Conflict for a source that is on an invoice or posted, with the invoice, or canceled (design §5.3).

    With `deleting`, also for one that was ever billed: rows of the ledger name it.
    """
    for row in await fetch(session, queries.STANDING, list(ids)):
        status = row["billing_status"]
        if status not in ("unbilled", "ready"):
            invoice = {"invoice_id": str(row["invoice_id"])} if row["invoice_id"] else {}
            raise Conflict(f"{what} {row['id']} is {status}: nothing about it changes", status, state=status, **invoice)
        if deleting and row["ever_billed"]:
            raise Conflict(f"{what} {row['id']} was billed and credited: rows of the ledger name it", state=status)
