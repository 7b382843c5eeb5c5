"""A confirmed invoice posts: what its details say goes to the ledger, once, and what does not match blocks visibly."""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.billing import service as billing
from billing_backlog.billing.rules import Billed, check_chunk
from billing_backlog.contracts.queries import lock_contracts
from billing_backlog.corrections import service as corrections
from billing_backlog.ledger import service as ledger
from billing_backlog.postings import queries
from billing_backlog.postings.rules import Sums, settle, why_blocked
from proforma import outbox
from proforma.context import Context
from proforma.db import execute, fetch
from proforma.errors import Conflict, NotFound
from proforma.events.billing_backlog import ControlTotals, InvoicePosted, PostingBlocked
from proforma.events.invoicing import ConfirmedDetail, InvoiceConfirmed


async def confirmed(session: AsyncSession, context: Context, chunks: Sequence[InvoiceConfirmed]) -> None:
    """Posts the chunks that are new, whole invoices or parts of them, in whatever order they come.

    Raises BrokenRule for what no invoice can say.
    """
    for chunk in chunks:
        check_chunk(chunk)
    invoices = {chunk.invoice_id: chunk for chunk in chunks}
    await lock_contracts(session, {chunk.contract_id for chunk in chunks})
    for chunk in sorted(invoices.values(), key=lambda chunk: chunk.invoice_id):
        await _keep(session, context, chunk)
    await fetch(session, queries.LOCK, list(invoices))
    rows = await fetch(session, queries.NEW_CHUNKS, [one.invoice_id for one in chunks], [one.chunk for one in chunks])
    new = {(row["invoice_id"], row["chunk"]) for row in rows}
    fresh = {(one.invoice_id, one.chunk): one for one in chunks if (one.invoice_id, one.chunk) in new}
    await execute(session, queries.SEEN, [invoice_id for invoice_id, _ in fresh], context.clock.now())
    for kind in ("invoice", "corrective"):
        some = [one for one in fresh.values() if one.kind == kind]
        details = [Billed(one.invoice_id, one.currency, detail) for one in some for detail in one.details]
        told, rest = await _post(session, context, kind, details)
        await _block(session, rest)
        await ledger.tell(session, context, told)
    # Also where nothing was new: invoicing asks again by confirming again, and the answer may have been lost.
    await _settle(session, context, set(invoices))


async def _keep(session: AsyncSession, context: Context, chunk: InvoiceConfirmed) -> None:
    totals = chunk.totals
    await execute(
        session, queries.KEEP, chunk.invoice_id, chunk.contract_id, chunk.number, chunk.kind, chunk.accounting_date,
        chunk.confirmed_by, chunk.confirmed_at, chunk.chunks, totals.count, totals.quantity, totals.amount, totals.tax,
        context.clock.now(),
    )  # fmt: skip


async def _post(
    session: AsyncSession, context: Context, kind: str, details: Sequence[Billed]
) -> tuple[list[UUID], list[Billed]]:
    """Posts what matches; returns the new rows' ids and the details that neither match nor are billed already."""
    if not details:
        return [], []
    post = billing.post if kind == "invoice" else corrections.post
    done, told = await post(session, context, details)
    rest = [one for one in details if one.detail.detail_id not in done]
    if rest:
        invoices, ids = [one.invoice_id for one in rest], [one.detail.detail_id for one in rest]
        done = {row["invoice_detail_id"] for row in await fetch(session, queries.BILLED, invoices, ids)}
    return told, [one for one in rest if one.detail.detail_id not in done]


async def _block(session: AsyncSession, details: Sequence[Billed]) -> None:
    """Names each detail that does not match: skipped in silence it would be money lost or billed twice."""
    if not details:
        return
    states = await fetch(session, queries.STATES, [one.detail.item_id for one in details])
    reasons = [
        why_blocked(one.detail, state["billing_status"], state["claim_id"], state["ledger_status"])
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
        accepted = row["accepted_by"] is not None
        status, reason = settle(row["seen"], row["chunks"], row["blocked"], wanted, posted, accepted=accepted)
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
    kind, blocked = await _blocked(session, invoice_id)
    told, rest = await _post(session, context, kind, blocked)
    still = {one.detail.detail_id for one in rest}
    freed = [one.detail.detail_id for one in blocked if one.detail.detail_id not in still]
    await execute(session, queries.UNBLOCK, invoice_id, freed)
    await ledger.tell(session, context, told)
    await _settle(session, context, [invoice_id])


async def accept(session: AsyncSession, context: Context, invoice_id: UUID, reason: str) -> None:
    """Posts the blocked details as billed only, on the word of a person. Raises Conflict when none is blocked.

    Of a corrective that is the difference: what it replaces stays billed.
    """
    _, blocked = await _blocked(session, invoice_id)
    if not blocked:
        raise Conflict("nothing of this invoice is blocked")
    details = [one.detail for one in blocked]
    ids = [context.ids() for _ in details]
    await execute(
        session, queries.ACCEPT, invoice_id, ids, [one.detail_id for one in details],
        [one.item_class for one in details], [one.now.billing_type for one in details],
        [_beyond(one, "quantity") for one in details], [one.now.price for one in details],
        [_beyond(one, "amount") for one in details], [_beyond(one, "tax") for one in details],
        [one.contract_line_id for one in details], context.clock.now(), context.actor,
    )  # fmt: skip
    await execute(session, queries.UNBLOCK, invoice_id, [one.detail_id for one in details])
    await execute(session, queries.ACCEPTED, invoice_id, context.actor, reason)
    await ledger.tell(session, context, ids)
    await _settle(session, context, [invoice_id])


def _beyond(detail: ConfirmedDetail, name: str) -> Decimal:
    """What is billed beyond what stays billed, of one figure."""
    now: Decimal = getattr(detail.now, name)
    return now if detail.original_detail_id is None or detail.was is None else now - getattr(detail.was, name)


async def _blocked(session: AsyncSession, invoice_id: UUID) -> tuple[str, list[Billed]]:
    """Locks contract and posting, then reads the invoice's kind and what is blocked."""
    found = await fetch(session, queries.TERMS, invoice_id)
    if not found:
        raise NotFound(f"no posting of invoice {invoice_id}")
    terms = found[0]
    await lock_contracts(session, {terms["contract_id"]})
    await fetch(session, queries.LOCK, [invoice_id])
    rows = await fetch(session, queries.BLOCKED, invoice_id, None)
    details = [ConfirmedDetail.model_validate(json.loads(row["detail"])) for row in rows]
    return terms["kind"], [Billed(invoice_id, terms["currency"], one) for one in details]


async def ask_again(session: AsyncSession, context: Context, invoice_id: str) -> None:
    """What a waiting posting can be asked: to match again what is blocked."""
    await retry(session, context, UUID(invoice_id))
