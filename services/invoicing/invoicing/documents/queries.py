"""SQL of the printable page."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import driver

# Every line, with its details behind it; a line without one comes once, with a null `detail_id`.
ROWS = """
select l.id as line_id, l.name, l.cut_off, l.chargeable, l.details,
       d.id as detail_id, d.date, d.external_description, d.resource, d.role, d.category, d.product, d.task,
       d.quantity, d.unit, d.price, d.amount, d.billing_type, d.written_off_from, d.original_detail_id,
       d.was_quantity, d.was_amount
from invoice_lines l
left join invoice_details d on d.invoice_id = l.invoice_id and d.contract_line_id = l.contract_line_id
where l.invoice_id = $1 order by l.name, l.id, d.date, coalesce(d.written_off_from, d.id), d.id
"""
_AT_ONCE = 500


async def one_picture(session: AsyncSession) -> None:
    """First thing in a transaction: all its statements see the same moment, so totals and details agree."""
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


async def rows(session: AsyncSession, invoice_id: UUID) -> AsyncIterator[Any]:
    """Lines with their details, read as they are needed: an invoice may have 200,000."""
    connection = await driver(session)
    async for row in connection.cursor(ROWS, invoice_id, prefetch=_AT_ONCE):
        yield row
