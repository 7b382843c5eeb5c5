"""What invoicing must still know of its own confirmations when its database was restored."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.confirmation.service import remember_numbers
from proforma.context import Context
from proforma.envelope import Message
from proforma.events.invoicing import InvoiceConfirmed
from proforma.handlers import Handler


async def on_own_confirmed(session: AsyncSession, _: Context, messages: Sequence[Message[InvoiceConfirmed]]) -> None:
    """Invoices that this database does not have were confirmed."""
    await remember_numbers(session, [message.body.number for message in messages])


OWN = [Handler(InvoiceConfirmed, on_own_confirmed)]
