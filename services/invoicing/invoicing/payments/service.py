"""Marking invoices as paid: what finance tells us, nothing that the ledger hears of."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.invoices import queries as invoices
from invoicing.invoices.queries import Change, Happened
from invoicing.invoices.rules import require
from invoicing.invoices.tables import Invoice
from invoicing.payments import queries
from invoicing.payments.schemas import PaidFilter
from proforma import jobs
from proforma.bodies import BulkResult, JobOut, Refusal
from proforma.context import Context
from proforma.http import match
from proforma.jobs import Job

PAID_JOB = "invoices.mark-paid"


async def mark_paid(session: AsyncSession, context: Context, invoice_id: UUID, expected: int | None) -> Invoice:
    """A confirmed invoice is paid; raises NotFound, Conflict in another state, Stale."""
    invoice = await invoices.lock(session, invoice_id)
    require(invoice.status, ["confirmed"], "mark it paid")
    match(invoice.version, expected)
    await _pay(session, context, [invoice_id])
    return await invoices.one(session, invoice_id)


async def mark_many_paid(session: AsyncSession, context: Context, ids: Sequence[UUID]) -> BulkResult:
    """Marks those that are confirmed; paid ones count as unchanged, the others are named."""
    wanted = list(dict.fromkeys(ids))
    found = await invoices.lock_many(session, wanted)
    status = {one: found[one]["status"] if one in found else None for one in wanted}
    paid = [one for one in wanted if status[one] == "confirmed"]
    refused = [
        Refusal(id=one, reason="not_found", detail="there is no such invoice")
        if status[one] is None
        else Refusal(id=one, reason="wrong_state", detail=f"the invoice is {status[one]}; it must be confirmed")
        for one in wanted
        if status[one] not in ("confirmed", "paid")
    ]
    await _pay(session, context, paid)
    return BulkResult(changed=len(paid), unchanged=len(wanted) - len(paid) - len(refused), refused=refused)


async def mark_paid_where(session: AsyncSession, context: Context, wanted: PaidFilter) -> BulkResult | JobOut:
    """Marks the confirmed invoices under a filter; above 1,000 as a job."""
    most = context.limits.batch_max
    ids = await queries.matching(session, wanted, most + 1)
    if len(ids) <= most:
        return await mark_many_paid(session, context, ids)
    told = {"filter": wanted.model_dump(mode="json", exclude_none=True)}
    return await jobs.start(session, context, PAID_JOB, told)


async def fix_targets(session: AsyncSession, job: Job) -> int:
    """Makes what a job's filter matches now its targets."""
    return await queries.fix_targets(session, job.id, PaidFilter.model_validate(job.params["filter"]))


async def _pay(session: AsyncSession, context: Context, ids: Sequence[UUID]) -> None:
    if not ids:
        return
    await invoices.change(session, context, [Change(one, "paid") for one in ids])
    happened = [Happened(one, "marked_paid", {"status": "confirmed"}, {"status": "paid"}) for one in ids]
    await invoices.remember(session, context, happened)
