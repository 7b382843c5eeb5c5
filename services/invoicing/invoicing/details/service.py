"""Details leave a draft; what leaves is released to the backlog."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.details import queries
from invoicing.details.queries import LineKey
from invoicing.details.rules import owed
from invoicing.details.schemas import DetailFilter, DetailOut
from invoicing.invoices import queries as invoices
from invoicing.invoices.queries import Change, Happened
from invoicing.invoices.rules import CONFIRMED, EDITABLE, Sums, require
from invoicing.invoices.tables import Invoice
from proforma import jobs
from proforma.bodies import BulkResult, JobOut
from proforma.context import Context
from proforma.errors import NotFound
from proforma.events.invoicing import DetailsReleased, ReleasedDetail
from proforma.http import match
from proforma.jobs import Job
from proforma.outbox import emit

REMOVE_JOB = "details.remove"
_REMEMBERED = ("id", "item_id", "class", "date", "quantity", "price", "amount", "tax", "billing_type")


def summed(rows: Sequence[Mapping[str, Any]], invoice_id: UUID) -> dict[LineKey, Sums]:
    """The sums of details by line; a row may stand for several when it says so in `details`."""
    by_line: dict[LineKey, Sums] = {}
    for row in rows:
        key = (invoice_id, row["contract_line_id"])
        one = Sums.of(row["billing_type"], *owed(row), row.get("details", 1))
        by_line[key] = by_line.get(key, Sums()) + one
    return by_line


async def shown(session: AsyncSession, invoice: Invoice, rows: Sequence[Mapping[str, Any]]) -> list[DetailOut]:
    """Details as the API shows them; on a confirmed invoice with what has replaced them."""
    ids = [row["id"] for row in rows] if invoice.status in CONFIRMED else []
    replaced = await queries.replaced(session, ids) if ids else {}
    return [DetailOut.of(row, invoice.currency, replaced.get(row["id"])) for row in rows]


async def subtract(session: AsyncSession, invoice_id: UUID, rows: Sequence[Mapping[str, Any]]) -> Sums:
    """Takes removed details out of their lines' totals; returns what it was in all, for the invoice's."""
    by_line = {key: -sums for key, sums in summed(rows, invoice_id).items()}
    await queries.add_sums(session, by_line)
    return sum(by_line.values(), Sums())


async def remove_one(
    session: AsyncSession, context: Context, invoice_id: UUID, detail_id: UUID, expected: int | None
) -> Invoice:
    """Removes one detail; raises NotFound, Conflict when the invoice is not a draft, Stale."""
    invoice = await for_edit(session, invoice_id, expected, "remove details")
    if not await _remove(session, context, invoice, [detail_id]):
        raise NotFound(f"invoice {invoice_id} has no detail {detail_id}")
    return await invoices.one(session, invoice_id)


async def remove_many(
    session: AsyncSession, context: Context, invoice_id: UUID, ids: Sequence[UUID], expected: int | None
) -> BulkResult:
    """Removes those of `ids` that the invoice has. The others are off it already and count as unchanged."""
    invoice = await for_edit(session, invoice_id, expected, "remove details")
    changed = await _remove(session, context, invoice, ids)
    return BulkResult(changed=changed, unchanged=len(set(ids)) - changed)


async def remove_where(
    session: AsyncSession, context: Context, invoice_id: UUID, wanted: DetailFilter, expected: int | None
) -> BulkResult | JobOut:
    """Removes the details under a filter; above 1,000 as a job."""
    invoice = await for_edit(session, invoice_id, expected, "remove details")
    chosen = await choose(session, context, invoice, wanted, REMOVE_JOB)
    if isinstance(chosen, JobOut):
        return chosen
    return BulkResult(changed=await _remove(session, context, invoice, chosen), unchanged=0)


async def choose(
    session: AsyncSession, context: Context, invoice: Invoice, wanted: DetailFilter, kind: str, **params: Any
) -> list[UUID] | JobOut:
    """The details of a locked draft under a filter; where more than 1,000 match, a job of this kind in their place."""
    most = context.limits.batch_max
    ids = await queries.matching(session, invoice.id, wanted, most + 1)
    if len(ids) <= most:
        return ids
    told = wanted.model_dump(mode="json", by_alias=True, exclude_none=True)
    return await jobs.start(session, context, kind, {"invoice_id": str(invoice.id), "filter": told, **params})


async def fix_targets(session: AsyncSession, job: Job) -> int:
    """Makes what a job's filter matches now its targets."""
    wanted = DetailFilter.model_validate(job.params["filter"])
    return await queries.fix_targets(session, job.id, UUID(job.params["invoice_id"]), wanted)


async def for_edit(session: AsyncSession, invoice_id: UUID, expected: int | None, verb: str) -> Invoice:
    """A draft, locked, whose details somebody wants to `verb`; raises NotFound, Conflict in another state, Stale."""
    invoice = await invoices.lock(session, invoice_id)
    require(invoice.status, EDITABLE, verb)
    match(invoice.version, expected)
    return invoice


async def _remove(session: AsyncSession, context: Context, invoice: Invoice, ids: Sequence[UUID]) -> int:
    removed = await queries.remove(session, invoice.id, ids)
    if not removed:
        return 0
    sums = await subtract(session, invoice.id, removed)
    await invoices.change(session, context, [Change(invoice.id, "draft", sums)])
    before = {"details": [{name: row[name] for name in _REMEMBERED} for row in removed]}
    await invoices.remember(session, context, [Happened(invoice.id, "details_removed", before)])
    await emit(session, context, _released(context, invoice, removed))
    return len(removed)


def _released(context: Context, invoice: Invoice, removed: Sequence[Mapping[str, Any]]) -> list[DetailsReleased]:
    """The events that give the items back, a full list at a time. What no claim brought has nowhere to go back to."""
    given = [
        ReleasedDetail(item_id=row["item_id"], claim_id=row["claim_id"])
        for row in removed
        if row["item_id"] is not None and row["claim_id"] is not None
    ]
    most = context.limits.event_list_max
    return [
        DetailsReleased(
            invoice_id=invoice.id,
            contract_id=invoice.contract_id,
            by=context.actor,
            at=context.clock.now(),
            details=given[start : start + most],
        )
        for start in range(0, len(given), most)
    ]
