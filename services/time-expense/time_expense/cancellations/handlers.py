"""What billing-backlog answers to cancellations. An answer that is dropped leaves its question to be asked again."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.context import Context
from proforma.envelope import Message
from proforma.events.billing_backlog import CancellationsAnswered
from proforma.handlers import Handler
from time_expense.cancellations import service


async def on_answered(
    session: AsyncSession, context: Context, messages: Sequence[Message[CancellationsAnswered]]
) -> None:
    """These approvals are reversed, or stay."""
    await service.answered(session, context, [answer for message in messages for answer in message.body.entries])


HANDLERS = [Handler(CancellationsAnswered, on_answered)]
