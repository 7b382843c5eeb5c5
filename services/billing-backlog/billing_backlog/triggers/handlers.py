"""What the scheduler's topic does here. Anybody may publish to it: our own rows decide."""

from collections.abc import Sequence

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.triggers import service
from billing_backlog.triggers.rules import Due
from proforma.context import Context
from proforma.envelope import Message, Record, decode
from proforma.errors import BrokenRule
from proforma.events.scheduler import RunDue
from proforma.handlers import Handler


async def run_due(session: AsyncSession, context: Context, messages: Sequence[Message[RunDue]]) -> None:
    """Runs what is due, by contract and run date."""
    await service.run_due(session, context, [_due(message.body) for message in messages])


async def run_dropped(session: AsyncSession, context: Context, record: Record) -> None:
    """A trigger that is given up leaves its row failed, for everybody to see; one that cannot be read names none.

    A run that breaks is failed without that: a dead letter is what could not even be written down as failed.
    """
    try:
        body = decode(RunDue, record).body
    except (BrokenRule, ValidationError):
        return
    await service.fail(session, context, [_due(body)], "the trigger was given up")


def _due(body: RunDue) -> Due:
    return Due(body.contract_id, body.contract_line_id, body.run_date)


HANDLERS = (Handler(RunDue, run_due, run_dropped),)
