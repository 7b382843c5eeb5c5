"""A confirmed invoice posts: reversal of each item's unbilled row, and its billed row."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.contracts.queries import lock_contracts
from billing_backlog.ledger import service as ledger
from billing_backlog.postings import queries
from billing_backlog.postings.rules import Sums, settle, why_blocked
from proforma import outbox
from proforma.context import Context
from proforma.db import execute, fetch
from proforma.errors import BrokenRule, Conflict, NotFound
from proforma.events.billing_backlog import ControlTotals, InvoicePosted, PostingBlocked
from proforma.events.invoicing import ConfirmedDetail, InvoiceConfirmed


@dataclass(frozen=True, slots=True)
class _Detail:
    """A confirmed detail and the invoice that it is on."""

    invoice_id: UUID
    detail: ConfirmedDetail


async def confirmed(session: AsyncSession, context: Context, chunks: Sequence[InvoiceConfirmed]) -> None:
    """Posts the chunks that are new, whole invoices or parts of them, in whatever order they come.

    Raises BrokenRule for what this release does not post: correctives and details that differ from their claim.
    """
    for chunk in chunks:
        _refuse_unknown(chunk)
    invoices = {chunk.invoice_id: chunk for chunk in chunks}
    await lock_contracts(session, {chunk.contract_id for chunk in chunks})
    for chunk in sorted(invoices.values(), key=lambda chunk: chunk.invoice_id):
        await _keep(session, context, chunk)
    await fetch(session, queries.LOCK, list(invoices))
    rows = await fetch(session, queries.NEW_CHUNKS, [one.invoice_id for one in chunks], [one.chunk for one in chunks])
    new = {(row["invoice_id"], row["chunk"]) for row in rows}
    fresh = {(one.invoice_id, one.chunk): one for one in chunks if (one.invoice_id, one.chunk) in new}
    await execute(session, queries.SEEN, [invoice_id for invoice_id, _ in fresh], context.clock.now())
    details = [_Detail(one.invoice_id, detail) for one in fresh.values() for detail in one.details]
    told, rest = await _post(session, context, details)
    await _block(session, rest)
    await ledger.tell(session, context, told)
    # Also where nothing was new: invoicing asks again by confirming again, and the answer may have been lost.
    await _settle(session, context, set(invoices))


def _refuse_unknown(chunk: InvoiceConfirmed) -> None:
    if chunk.kind != "invoice":
        raise BrokenRule(f"invoice {chunk.number} is a {chunk.kind}: this release does not post it")
    for detail in chunk.details:
        if detail.source != "backlog" or detail.was != detail.now:
            raise BrokenRule(f"detail {detail.detail_id} differs from its claim: this release does not post it")


async def _keep(session: AsyncSession, context: Context, chunk: InvoiceConfirmed) -> None:
    totals = chunk.totals
    await execute(
        session, queries.KEEP, chunk.invoice_id, chunk.contract_id, chunk.number, chunk.kind, chunk.accounting_date,
        chunk.confirmed_by, chunk.confirmed_at, chunk.chunks, totals.count, totals.quantity, totals.amount, totals.tax,
        context.clock.now(),
    )  # fmt: skip


async def _post(
    session: AsyncSession, context: Context, details: Sequence[_Detail]
) -> tuple[list[UUID], list[_Detail]]:
    """Posts what matches; returns the new rows' ids and the details that neither match nor are billed already."""
    if not details:
        return [], []
    figures = [one.detail.now for one in details]
    rows = await fetch(
        session, queries.POST,
        [one.invoice_id for one in details], [one.detail.detail_id for one in details],
        [one.detail.item_id for one in details], [one.detail.claim_id for one in details],
        [context.ids() for _ in details], [context.ids() for _ in details],
        [one.quantity for one in figures], [one.price for one in figures], [one.amount for one in figures],
        context.clock.now(),
    )  # fmt: skip
    told = [row[name] for name in ("reversal_id", "billed_id") for row in rows]
    done = {row["detail_id"] for row in rows}
    rest = [one for one in details if one.detail.detail_id not in done]
    if rest:
        billed = await fetch(session, queries.BILLED, [one.detail.detail_id for one in rest])
        done = {row["invoice_detail_id"] for row in billed}
    return told, [one for one in rest if one.detail.detail_id not in done]


async def _block(session: AsyncSession, details: Sequence[_Detail]) -> None:
    """Names each detail that does not match: skipped in silence it would be money lost or billed twice."""
    if not details:
        return
    states = await fetch(session, queries.STATES, [one.detail.item_id for one in details])
    reasons = [
        why_blocked(
            one.detail.item_id, one.detail.claim_id, state["billing_status"], state["claim_id"], state["ledger_status"]
        )
        for one, state in zip(details, states, strict=True)
    ]
    await execute(
        session,
        queries.BLOCK,
        [one.invoice_id for one in details],
        [one.detail.detail_id for one in details],
        [one.detail.model_dump_json() for one in details],
        reasons,
    )


async def _settle(session: AsyncSession, context: Context, invoices: Iterable[UUID]) -> None:
    """Decides what each posting is now, and answers invoicing once all of it is in."""
    rows = await fetch(session, queries.TOTALS, list(invoices))
    events: list[InvoicePosted | PostingBlocked] = []
    ids, statuses, reasons = [], [], []
    for row in rows:
        wanted = Sums(row["count_wanted"], row["quantity_wanted"], row["amount_wanted"], row["tax_wanted"])
        posted = Sums(row["count"], row["quantity"], row["amount"], row["tax"])
        status, reason = settle(row["seen"], row["chunks"], row["blocked"], wanted, posted)
        ids.append(row["invoice_id"])
        statuses.append(status)
        reasons.append(reason)
        if status == "posted":
            totals = ControlTotals(count=posted.count, quantity=posted.quantity, amount=posted.amount, tax=posted.tax)
            events.append(InvoicePosted(invoice_id=row["invoice_id"], contract_id=row["contract_id"], totals=totals))
        elif status == "blocked":
            events.append(
                PostingBlocked(invoice_id=row["invoice_id"], contract_id=row["contract_id"], reason=reason or "blocked")
            )
    await execute(session, queries.SETTLE, ids, statuses, reasons, context.clock.now())
    await outbox.emit(session, context, events)


async def retry(session: AsyncSession, context: Context, invoice_id: UUID) -> None:
    """Matches the blocked details again. Raises NotFound; a posting that is done stays as it is, and is told again."""
    blocked = await _blocked(session, invoice_id)
    told, rest = await _post(session, context, blocked)
    still = {one.detail.detail_id for one in rest}
    freed = [one.detail.detail_id for one in blocked if one.detail.detail_id not in still]
    await execute(session, queries.UNBLOCK, invoice_id, freed)
    await ledger.tell(session, context, told)
    await _settle(session, context, [invoice_id])


async def accept(session: AsyncSession, context: Context, invoice_id: UUID, reason: str) -> None:
    """Posts the blocked details as billed only, on the word of a person. Raises Conflict when none is blocked."""
    blocked = await _blocked(session, invoice_id)
    if not blocked:
        raise Conflict("nothing of this invoice is blocked")
    details = [one.detail for one in blocked]
    ids = [context.ids() for _ in details]
    await execute(
        session, queries.ACCEPT, invoice_id, ids, [one.detail_id for one in details],
        [one.item_class for one in details], [one.now.billing_type for one in details],
        [one.now.quantity for one in details], [one.now.price for one in details],
        [one.now.amount for one in details], [one.now.tax for one in details],
        [one.contract_line_id for one in details], [one.item_id for one in details],
        context.clock.now(), context.actor,
    )  # fmt: skip
    await execute(session, queries.UNBLOCK, invoice_id, [one.detail_id for one in details])
    await execute(session, queries.ACCEPTED, invoice_id, context.actor, reason)
    await ledger.tell(session, context, ids)
    await _settle(session, context, [invoice_id])


async def _blocked(session: AsyncSession, invoice_id: UUID) -> list[_Detail]:
    """Locks contract and posting, then reads what is blocked."""
    found = await fetch(session, "select contract_id from postings where invoice_id = $1", invoice_id)
    if not found:
        raise NotFound(f"no posting of invoice {invoice_id}")
    await lock_contracts(session, {found[0]["contract_id"]})
    await fetch(session, queries.LOCK, [invoice_id])
    rows = await fetch(session, queries.BLOCKED, invoice_id, None)
    return [_Detail(invoice_id, ConfirmedDetail.model_validate(json.loads(row["detail"]))) for row in rows]


async def ask_again(session: AsyncSession, context: Context, invoice_id: str) -> None:
    """What a waiting posting can be asked: to match again what is blocked."""
    await retry(session, context, UUID(invoice_id))
