"""What billing-backlog's topic of contracts does here."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.context import Context
from proforma.envelope import Message
from proforma.events.billing_backlog import ScheduleChanged, ScheduleEnded
from scheduler.schedules import service


async def schedule_changed(
    session: AsyncSession, context: Context, messages: Sequence[Message[ScheduleChanged]]
) -> None:
    """The rows of each schedule are what its highest version says."""
    await service.take(session, context, [message.body for message in messages])


async def schedule_ended(session: AsyncSession, context: Context, messages: Sequence[Message[ScheduleEnded]]) -> None:
    """Nothing of these schedules is triggered any more, even when their rows come later."""
    await service.take(session, context, [message.body for message in messages])
