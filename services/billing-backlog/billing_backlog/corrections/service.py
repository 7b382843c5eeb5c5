"""A corrective: reverse what was billed, bill what is right, open again what is credited (domain §3.5)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.billing.rules import Billed, rest_of
from billing_backlog.billing.service import Posted, figures, give_back
from billing_backlog.corrections import queries
from billing_backlog.corrections.rules import Credit, credit_of
from proforma.context import Context
from proforma.db import execute, fetch
from proforma.events.invoicing import returned_item_id


async def post(session: AsyncSession, context: Context, details: Sequence[Billed]) -> Posted:
    """Posts the details whose original is billed as they say; the contracts and the postings are locked by the caller.

    What was added by hand brings nothing back; a milestone or product line comes back as itself, whole or in part;
    everything else comes back as an item of the rest, not ready.
    """
    rows = await _correct(session, context, details)
    done = {row["detail_id"] for row in rows}
    told = [row[name] for name in ("reversal_id", "billed_id") for row in rows if row[name] is not None]
    posted = [one for one in details if one.detail.detail_id in done]
    rests = [
        (one, rest)
        for one in posted
        if one.detail.source == "backlog" and one.detail.was is not None
        and (rest := rest_of(one.detail.was, one.detail.now, one.currency)) is not None
    ]  # fmt: skip
    await give_back(session, context, "correct", rests)
    for source, again, split in (
        ("milestone", queries.MILESTONE_AGAIN, queries.SPLIT_MILESTONES),
        ("product", queries.PRODUCT_AGAIN, queries.SPLIT_PRODUCTS),
    ):
        await _credit(session, context, [one for one in posted if one.detail.source == source], again, split)
    return done, told


async def _correct(session: AsyncSession, context: Context, details: Sequence[Billed]) -> list[dict[str, UUID]]:
    if not details:
        return []
    was = [one.detail.was or one.detail.now for one in details]
    found = await fetch(
        session, queries.CORRECT,
        [one.invoice_id for one in details], [one.detail.detail_id for one in details],
        [one.detail.original_detail_id for one in details], [context.ids() for _ in details],
        [context.ids() for _ in details], [one.quantity for one in was], [one.price for one in was],
        [one.amount for one in was], [one.tax for one in was], *figures(details), context.clock.now(),
    )  # fmt: skip
    return [dict(row) for row in found]


async def _credit(session: AsyncSession, context: Context, details: Sequence[Billed], again: str, split: str) -> None:
    """Opens what is credited of milestones, or of product lines, by these two statements."""
    credits = [
        (one, credit)
        for one in details
        if one.detail.was is not None and (credit := credit_of(one.detail.was, one.detail.now)) is not None
    ]
    if not credits:
        return
    parts = [(one, credit) for one, credit in credits if not credit.in_full]
    now, by = context.clock.now(), context.actor
    ids = [one.detail.item_id for one, _ in parts]
    rests = [returned_item_id(one.detail.detail_id) for one, _ in parts]
    await execute(session, split, ids, rests, *_columns([credit for _, credit in parts]), by, now)
    whole = [one.detail.item_id for one, credit in credits if credit.in_full]
    await execute(session, again, [*whole, *rests], by, now)


def _columns(credits: Sequence[Credit]) -> list[list[object]]:
    names = ("kept", "kept_tax", "rest", "rest_tax")
    return [[getattr(one, name) for one in credits] for name in names]
