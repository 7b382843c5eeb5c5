"""Questions of time-expense, whether an approval may be cancelled."""

from collections.abc import Iterable, Sequence

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.cancellations import service
from billing_backlog.cancellations.rules import Question
from proforma.context import Context
from proforma.envelope import Message, Record, decode
from proforma.errors import BrokenRule
from proforma.events.time_expense import CancellationRequest, CancellationsRequested
from proforma.handlers import Handler


async def on_cancellations_requested(
    session: AsyncSession, context: Context, messages: Sequence[Message[CancellationsRequested]]
) -> None:
    """All questions of the batch in one go."""
    await service.cancel(session, context, _questions(one for message in messages for one in message.body.entries))


async def on_dropped(session: AsyncSession, context: Context, record: Record) -> None:
    """A question that is given up is answered refused; one that cannot be read names nobody to answer."""
    try:
        body = decode(CancellationsRequested, record).body
    except (BrokenRule, ValidationError):
        return
    await service.refuse(session, context, _questions(body.entries))


def _questions(requests: Iterable[CancellationRequest]) -> list[Question]:
    return [Question(one.id, one.revision, one.request_id, one.project) for one in requests]


HANDLERS = (Handler(CancellationsRequested, on_cancellations_requested, on_dropped),)
