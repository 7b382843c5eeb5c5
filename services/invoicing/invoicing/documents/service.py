"""The printable page of an invoice, as a stream."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from invoicing.documents import queries, rules
from invoicing.invoices import queries as invoices
from proforma.db import Database

_PIECE = 64 * 1024


async def page(database: Database, invoice_id: UUID) -> AsyncIterator[str]:
    """Pieces of the page, in a transaction of their own: the request's has ended when an answer is streamed.

    A reader who stops reading for a minute loses the connection (idle_in_transaction_session_timeout), not we ours.
    """
    held: list[str] = []
    size = 0
    async for part in _parts(database, invoice_id):
        held.append(part)
        size += len(part)
        if size > _PIECE:
            yield "".join(held)
            held, size = [], 0
    yield "".join(held)


async def _parts(database: Database, invoice_id: UUID) -> AsyncIterator[str]:
    async with database.transaction() as session:
        await queries.one_picture(session)
        invoice = (await invoices.one(session, invoice_id)).model_dump()
        if invoice["original_id"] is not None:
            invoice["original_number"] = (await invoices.one(session, invoice["original_id"])).number
        yield rules.head(invoice)
        line: Any = None
        async for row in queries.rows(session, invoice_id):
            if line is None or row["line_id"] != line["line_id"]:
                if line is not None:
                    yield rules.line_foot(line)
                line = row
                yield rules.line_head(line)
            if row["detail_id"] is not None:
                yield rules.detail(row)
        if line is not None:
            yield rules.line_foot(line)
        yield rules.foot(invoice)
