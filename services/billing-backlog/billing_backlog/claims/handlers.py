"""What invoicing says of drafts: drafted, details released, claim dropped, discarded."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.claims import service
from proforma.context import Context
from proforma.envelope import Message
from proforma.events.invoicing import ClaimDropped, DetailsReleased, InvoiceDiscarded, InvoiceDrafted
from proforma.handlers import Handler


async def on_drafted(session: AsyncSession, context: Context, messages: Sequence[Message[InvoiceDrafted]]) -> None:
    """The draft is complete: its claims stop waiting."""
    named = {
        claim.claim_id: (claim.claim_id, message.body.invoice_id, claim.items)
        for message in messages
        for claim in message.body.claims
    }
    if named:
        await service.drafted(session, context, list(named.values()))


async def on_details_released(
    session: AsyncSession, context: Context, messages: Sequence[Message[DetailsReleased]]
) -> None:
    """Removed details: their items are ready again."""
    releases = [
        (message.body.contract_id, detail.item_id, detail.claim_id, message.body.by)
        for message in messages
        for detail in message.body.details
    ]
    await service.release_items(session, context, releases)


async def on_discarded(session: AsyncSession, context: Context, messages: Sequence[Message[InvoiceDiscarded]]) -> None:
    """A discarded draft: everything that its claims had brought is ready again."""
    releases = [
        (message.body.contract_id, claim_id, message.body.by)
        for message in messages
        for claim_id in message.body.claims
    ]
    if releases:
        await service.release_claims(session, context, releases)


async def on_claim_dropped(session: AsyncSession, context: Context, messages: Sequence[Message[ClaimDropped]]) -> None:
    """A claim taken off a draft, or given up before it was whole."""
    releases = [(message.body.contract_id, message.body.claim_id, message.body.by) for message in messages]
    await service.release_claims(session, context, releases)


HANDLERS = (
    Handler(InvoiceDrafted, on_drafted),
    Handler(DetailsReleased, on_details_released),
    Handler(InvoiceDiscarded, on_discarded),
    Handler(ClaimDropped, on_claim_dropped),
)
