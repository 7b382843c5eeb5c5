"""What billing-backlog answers to a confirmed invoice. Dropping an answer has no consequence: it can be asked again."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.postings import service
from proforma.context import Context
from proforma.envelope import Message
from proforma.events.billing_backlog import InvoicePosted, PostingBlocked
from proforma.handlers import Handler


async def on_posted(session: AsyncSession, context: Context, messages: Sequence[Message[InvoicePosted]]) -> None:
    """Every detail of these invoices has its billed row."""
    await service.posted(session, context, [message.body for message in messages])


async def on_blocked(session: AsyncSession, context: Context, messages: Sequence[Message[PostingBlocked]]) -> None:
    """These invoices wait in the ledger for a person."""
    await service.blocked(session, context, [message.body for message in messages])


HANDLERS = [Handler(InvoicePosted, on_posted), Handler(PostingBlocked, on_blocked)]
