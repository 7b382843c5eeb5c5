"""Approved entries, as they come from time-expense or from another time system."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.entries import service
from proforma.context import Context
from proforma.envelope import Message
from proforma.events.time_expense import EntriesApproved
from proforma.handlers import Handler


async def on_entries_approved(
    session: AsyncSession, context: Context, messages: Sequence[Message[EntriesApproved]]
) -> None:
    """All entries of the batch in one go."""
    await service.approve(session, context, [entry for message in messages for entry in message.body.entries])


HANDLERS = (Handler(EntriesApproved, on_entries_approved),)
