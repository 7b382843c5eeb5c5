"""Confirmed invoices, as invoicing tells them."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.postings import service
from proforma.context import Context
from proforma.envelope import Message, Record
from proforma.errors import Conflict
from proforma.events.invoicing import InvoiceConfirmed
from proforma.handlers import Handler


async def on_confirmed(session: AsyncSession, context: Context, messages: Sequence[Message[InvoiceConfirmed]]) -> None:
    """All chunks of the batch."""
    await service.confirmed(session, context, [message.body for message in messages])


async def refuse_drop(_: AsyncSession, __: Context, ___: Record) -> None:
    """A confirmed invoice is final: dropping its posting would leave it billed there and unbilled here."""
    raise Conflict("a confirmed invoice cannot be dropped: repair the cause and replay it")


HANDLERS = (Handler(InvoiceConfirmed, on_confirmed, on_drop=refuse_drop),)
