"""Confirming: one way, with a number, and told to the ledger."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.confirmation import queries
from invoicing.confirmation.rules import NO_CHANGE, Refused, place_of, refusal
from invoicing.invoices import queries as invoices
from invoicing.invoices.queries import Happened
from invoicing.invoices.rules import CONFIRMED
from invoicing.invoices.tables import Invoice
from invoicing.remainders import service as remainders
from invoicing.remainders.rules import pack
from proforma.bodies import BulkResult, Refusal
from proforma.clock import today
from proforma.context import Context

Reviewed = tuple[UUID, int]
"""(invoice, the version that was reviewed)"""


async def confirm(session: AsyncSession, context: Context, invoice_id: UUID, version: int) -> Invoice:
    """Confirms one invoice; raises NotFound, Conflict (`wrong_state`, `no_details`) or Stale."""
    found = (await invoices.lock_many(session, [invoice_id])).get(invoice_id)
    refused = refusal(found, version)
    if refused is None and found is not None and await remainders.unchanged(session, [found]):
        refused = NO_CHANGE
    if refused is not None:
        raise refused.problem()
    await confirm_locked(session, context, [invoice_id])
    return await invoices.one(session, invoice_id)


async def remember_numbers(session: AsyncSession, numbers: Sequence[str]) -> None:
    """Numbers that were given before the database was restored are not given again. The gap they leave is honest:
    invoices of these numbers left the house."""
    await queries.step_past(session, [place_of(number) for number in numbers])


async def confirm_many(session: AsyncSession, context: Context, reviewed: Sequence[Reviewed]) -> BulkResult:
    """Confirms those that are as they were reviewed and names the others; confirmed ones count as unchanged."""
    found = await invoices.lock_many(session, [invoice_id for invoice_id, _ in reviewed])
    ready: list[UUID] = []
    refused: list[tuple[UUID, Refused]] = []
    for invoice_id, version in reviewed:
        invoice = found.get(invoice_id)
        if invoice is not None and invoice["status"] in CONFIRMED:
            continue
        if (why := refusal(invoice, version)) is not None:
            refused.append((invoice_id, why))
        else:
            ready.append(invoice_id)
    same = await remainders.unchanged(session, [found[invoice_id] for invoice_id in ready])
    refused += [(invoice_id, NO_CHANGE) for invoice_id in ready if invoice_id in same]
    ready = [invoice_id for invoice_id in ready if invoice_id not in same]
    await confirm_locked(session, context, ready)
    return BulkResult(
        changed=len(ready),
        unchanged=len(reviewed) - len(ready) - len(refused),
        refused=[Refusal(id=invoice_id, reason=why.reason, detail=why.detail) for invoice_id, why in refused],
    )


async def send_again(session: AsyncSession, context: Context, invoice_id: UUID) -> None:
    """Tells the ledger of a confirmed invoice once more: it knows by the details what it has posted already."""
    invoice = (await invoices.lock_many(session, [invoice_id]))[invoice_id]
    most = context.limits.event_list_max
    edited = await remainders.edited(session, [invoice_id], most)
    await queries.send_again(session, context, invoice_id, pack([invoice], edited, most))


async def confirm_locked(session: AsyncSession, context: Context, ids: Sequence[UUID]) -> None:
    """Confirms locked invoices that nothing stands in the way of, in this order.

    The events come with the number, so the years' counters are the last locks taken, in the order of years; the
    history is written before them.
    """
    if not ids:
        return
    edited = await remainders.settle(session, context, list((await invoices.lock_many(session, ids)).values()))
    proven = await queries.settle(session, context, ids, today(context.clock))
    if wrong := [invoice_id for invoice_id in ids if invoice_id not in proven]:
        raise RuntimeError(f"totals of {wrong} are not the sums of their details")
    locked = await invoices.lock_many(session, ids)
    await invoices.remember(session, context, [_happened(locked[invoice_id]) for invoice_id in ids])
    for year in sorted({locked[invoice_id]["invoice_date"].year for invoice_id in ids}):
        some = [invoice_id for invoice_id in ids if locked[invoice_id]["invoice_date"].year == year]
        packing = pack([locked[invoice_id] for invoice_id in some], edited, context.limits.event_list_max)
        await queries.number_and_send(session, context, year, some, packing)


def _happened(invoice: Mapping[str, Any]) -> Happened:
    after = {name: invoice[name] for name in ("invoice_date", "accounting_date", "subtotal", "tax", "total", "details")}
    return Happened(invoice["id"], "confirmed", {"status": invoice["status"]}, {"status": "confirmed", **after})
