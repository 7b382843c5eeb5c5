"""Claims on a draft: when it is whole, and how a claim or all of them are given back."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.claims import queries
from invoicing.details import queries as details
from invoicing.details.service import subtract
from invoicing.invoices import queries as invoices
from invoicing.invoices.queries import Change, Happened
from invoicing.invoices.rules import OPEN, require
from invoicing.invoices.tables import Invoice
from proforma.context import Context
from proforma.db import lock_keys
from proforma.envelope import Event
from proforma.errors import Conflict, NotFound
from proforma.events.billing_backlog import ControlTotals
from proforma.events.invoicing import ClaimCount, ClaimDropped, InvoiceDiscarded, InvoiceDrafted
from proforma.http import match
from proforma.outbox import emit

T = TypeVar("T")


async def lock_runs(session: AsyncSession, run_ids: Collection[UUID]) -> None:
    """Locks runs, in sorted order: who finds no open draft of a run is then the only one who opens one."""
    await lock_keys(session, "run", [str(run_id) for run_id in run_ids])


async def drafted(session: AsyncSession, context: Context, invoice_ids: Collection[UUID]) -> list[InvoiceDrafted]:
    """What to say of drafts that are whole; one without a live claim is nobody's news."""
    if not invoice_ids:
        return []
    headers, claims = await queries.drafted(session, invoice_ids)
    return [
        InvoiceDrafted(
            invoice_id=row["id"],
            contract_id=row["contract_id"],
            run_id=row["run_id"],
            currency=row["currency"],
            invoice_date=row["invoice_date"],
            totals=ControlTotals(count=row["count"], quantity=row["quantity"], amount=row["amount"], tax=row["tax"]),
            claims=[ClaimCount(claim_id=claim["id"], items=claim["items"]) for claim in some],
        )
        for row in headers
        for some in _lists(claims.get(row["id"], []), context.limits.event_list_max)
    ]


async def drop(
    session: AsyncSession,
    context: Context,
    invoice_id: UUID,
    claim_id: UUID,
    expected: int | None,
    reason: str | None,
) -> Invoice:
    """Takes one claim off a draft; its items are released, and chunks of it that come later do nothing.

    Ends `building` where only this claim was waited for. Raises NotFound, Conflict, Stale.
    """
    invoice = await invoices.lock(session, invoice_id)
    claim = (await queries.lock(session, [claim_id])).get(claim_id)
    if claim is None or claim["invoice_id"] != invoice_id:
        raise NotFound(f"invoice {invoice_id} has no claim {claim_id}")
    require(invoice.status, OPEN, "drop a claim")
    if claim["status"] != "live":
        raise Conflict(f"the claim is {claim['status']} already", state=claim["status"])
    match(invoice.version, expected)
    await _drop(session, context, invoice, claim, reason)
    return await invoices.one(session, invoice_id)


async def drop_unseen(
    session: AsyncSession, context: Context, claim_id: UUID, run_id: UUID, contract_id: UUID, reason: str
) -> None:
    """Drops a claim whose chunk was given up, also when no chunk of it has come yet.

    A claim that is whole, or dropped, lost nothing with that chunk and stays as it is.
    """
    # The run is locked as the taking of chunks locks it: the claim cannot come into being beside us.
    await lock_runs(session, [run_id])
    known = await queries.find(session, claim_id)
    if known is None:
        await queries.bury(session, context, claim_id, run_id, contract_id)
        await emit(session, context, [claim_dropped(context, None, contract_id, claim_id)])
    elif known["invoice_id"] is not None:
        invoice = await invoices.lock(session, known["invoice_id"])
        claim = (await queries.lock(session, [claim_id]))[claim_id]
        if claim["status"] == "live" and claim["seen"] < claim["chunks"]:
            await _drop(session, context, invoice, claim, reason)


async def discard(
    session: AsyncSession, context: Context, invoice_id: UUID, expected: int | None, reason: str | None
) -> Invoice:
    """Gives a draft up: every item of its claims is released, late chunks do nothing, the record stays as it was.

    A corrective holds no claim: its details go, so that their originals are free for another one. Raises
    NotFound, Conflict when it is not open, Stale.
    """
    invoice = await invoices.lock(session, invoice_id)
    require(invoice.status, OPEN, "discard it")
    match(invoice.version, expected)
    claims = await queries.lock_of_invoice(session, invoice_id)
    live = [claim["id"] for claim in claims if claim["status"] == "live"]
    await queries.drop(session, context, live)
    freed = await details.remove_correcting(session, invoice_id) if invoice.kind == "corrective" else []
    sums = await subtract(session, invoice_id, freed)
    await invoices.change(session, context, [Change(invoice_id, "discarded", sums)])
    before, after = {"status": invoice.status}, {"status": "discarded", "claims": live}
    await invoices.remember(session, context, [Happened(invoice_id, "discarded", before, after, reason)])
    at, by, contract_id = context.clock.now(), context.actor, invoice.contract_id
    await emit(
        session,
        context,
        [
            InvoiceDiscarded(invoice_id=invoice_id, contract_id=contract_id, by=by, at=at, claims=list(some))
            for some in _lists(live, context.limits.event_list_max) or [[]]
        ],
    )
    return await invoices.one(session, invoice_id)


async def _drop(
    session: AsyncSession, context: Context, invoice: Invoice, claim: Mapping[str, Any], reason: str | None
) -> None:
    """Removes a live claim of a locked, open invoice; says so, and that the draft is whole if now it is."""
    removed = await details.remove_claim(session, invoice.id, claim["id"])
    sums = await subtract(session, invoice.id, removed)
    await queries.drop(session, context, [claim["id"]])
    waits = invoice.id in await queries.unfinished(session, [invoice.id])
    await invoices.change(session, context, [Change(invoice.id, "building" if waits else "draft", sums)])
    before = {"claim_id": claim["id"], "details": -sums.details, "chargeable": -sums.chargeable}
    await invoices.remember(session, context, [Happened(invoice.id, "claim_dropped", before, reason=reason)])
    events: list[Event] = [claim_dropped(context, invoice.id, invoice.contract_id, claim["id"])]
    if invoice.status == "building" and not waits:
        events.extend(await drafted(session, context, [invoice.id]))
    await emit(session, context, events)


def claim_dropped(context: Context, invoice_id: UUID | None, contract_id: UUID, claim_id: UUID) -> ClaimDropped:
    """What to say of a claim that is off its draft, or that never came on one."""
    return ClaimDropped(
        invoice_id=invoice_id,
        contract_id=contract_id,
        claim_id=claim_id,
        by=context.actor,
        at=context.clock.now(),
    )


def _lists(things: Sequence[T], most: int) -> list[Sequence[T]]:
    """`things` in pieces of `most`."""
    return [things[start : start + most] for start in range(0, len(things), most)]
