"""What comes from billing-backlog on to drafts."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.claims.service import drop_unseen
from invoicing.drafting.service import take_chunks
from proforma.context import Context
from proforma.envelope import Message, Record
from proforma.errors import Conflict
from proforma.events.billing_backlog import ItemsClaimed
from proforma.handlers import Handler


class _ClaimNamed(BaseModel):
    id: UUID
    run_id: UUID
    contract_id: UUID


class _ChunkGivenUp(BaseModel):
    """As much of a poisoned chunk as must be readable to give its claim back."""

    claim: _ClaimNamed


async def on_items_claimed(session: AsyncSession, context: Context, messages: Sequence[Message[ItemsClaimed]]) -> None:
    """Items are claimed: they come on to their run's draft."""
    await take_chunks(session, context, [message.body for message in messages])


async def on_chunk_dropped(session: AsyncSession, context: Context, record: Record) -> None:
    """A chunk is given up: so is its whole claim, because an invoice with a part of a claim would look complete.

    Raises Conflict when the message does not even say whose chunk it is: its items would stay claimed for ever.
    """
    try:
        claim = _ChunkGivenUp.model_validate_json(record.value or b"").claim
    except ValidationError as error:
        raise Conflict(
            "the message does not say which claim it belongs to: replay it with a repaired body, or drop the claim"
        ) from error
    await drop_unseen(session, context, claim.id, claim.run_id, claim.contract_id, "a chunk of it was given up")


HANDLERS = [Handler(ItemsClaimed, on_items_claimed, on_chunk_dropped)]
