"""Taking work back: its rows are reversed and its items go, as long as no invoice has any of it."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.ledger import service as ledger
from billing_backlog.withdrawals.queries import DROP_ITEMS
from billing_backlog.withdrawals.rules import Standing
from proforma.context import Context
from proforma.db import execute


async def take_back(session: AsyncSession, context: Context, rows: Iterable[Standing], cause: str) -> list[UUID]:
    """Reverses these rows and takes their items out; returns the reversals' ids, which are still to be told.

    The contracts are locked FOR UPDATE, and `rows` were read by a statement begun after that: a claim that came
    before has its items on an invoice, and one that comes after finds none (design §5.5).
    """
    ids = [row.id for row in rows]
    new = await ledger.reverse(session, context, ids, cause)
    await execute(session, DROP_ITEMS, ids)
    return new
