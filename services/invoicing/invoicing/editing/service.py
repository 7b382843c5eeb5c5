"""Details of a draft are edited, or added by hand; line and invoice are right in the same transaction."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.details import queries as details
from invoicing.details.schemas import DetailFilter, DetailOut
from invoicing.details.service import choose, for_edit, shown, summed
from invoicing.editing import queries
from invoicing.editing.rules import added, edited
from invoicing.editing.schemas import HandIn
from invoicing.invoices import queries as invoices
from invoicing.invoices.queries import Change, Happened
from invoicing.invoices.rules import Sums
from invoicing.invoices.tables import Invoice
from proforma.bodies import BulkResult, JobOut, Refusal
from proforma.context import Context
from proforma.errors import Conflict, Invalid, NotFound

EDIT_JOB = "details.update"
Row = Mapping[str, Any]
Given = Mapping[str, Any]


async def edit_one(
    session: AsyncSession, context: Context, invoice_id: UUID, detail_id: UUID, expected: int | None, given: Given
) -> tuple[DetailOut, Invoice]:
    """Edits one detail of a draft; what already is as wanted changes nothing, not even the version.

    Raises NotFound, Stale, Conflict (`wrong_state`, `limit_exceeded`), Invalid for a field that cannot be edited.
    """
    invoice = await for_edit(session, invoice_id, expected, "edit details")
    _, refused = await _edit(session, context, invoice, {detail_id: given})
    for problem in refused.values():
        raise problem
    (row,) = await queries.find(session, invoice_id, [detail_id])
    (detail,) = await shown(session, invoice, [row])
    return detail, await invoices.one(session, invoice_id)


async def edit_many(
    session: AsyncSession, context: Context, invoice_id: UUID, expected: int | None, wanted: Mapping[UUID, Given]
) -> BulkResult:
    """Edits those details that can be edited as wanted, and names the others; raises NotFound, Stale, Conflict."""
    invoice = await for_edit(session, invoice_id, expected, "edit details")
    changed, refused = await _edit(session, context, invoice, wanted)
    return BulkResult(
        changed=changed,
        unchanged=len(wanted) - changed - len(refused),
        refused=[_refusal(detail_id, problem) for detail_id, problem in refused.items()],
    )


async def edit_where(
    session: AsyncSession,
    context: Context,
    invoice_id: UUID,
    expected: int | None,
    wanted: DetailFilter,
    given: Given,
    told: Given,
) -> BulkResult | JobOut:
    """Edits the details under a filter; above 1,000 as a job, which is `told` the fields as JSON."""
    invoice = await for_edit(session, invoice_id, expected, "edit details")
    chosen = await choose(session, context, invoice, wanted, EDIT_JOB, fields=told)
    if isinstance(chosen, JobOut):
        return chosen
    return await edit_many(session, context, invoice_id, None, dict.fromkeys(chosen, given))


def _refusal(detail_id: UUID, problem: Invalid | Conflict | NotFound) -> Refusal:
    reason = "not_found" if isinstance(problem, NotFound) else getattr(problem, "reason", "wrong_state")
    return Refusal(id=detail_id, reason=reason, detail=problem.detail)


async def _edit(
    session: AsyncSession, context: Context, invoice: Invoice, wanted: Mapping[UUID, Given]
) -> tuple[int, dict[UUID, Invalid | Conflict | NotFound]]:
    """Applies edits to a locked draft; returns how many details changed and why others did not."""
    found = {row["id"]: row for row in await queries.find(session, invoice.id, list(wanted))}
    refused: dict[UUID, Invalid | Conflict | NotFound] = {}
    changes: dict[UUID, dict[str, Any]] = {}
    for detail_id, given in wanted.items():
        if detail_id not in found:
            refused[detail_id] = NotFound(f"invoice {invoice.id} has no detail {detail_id}")
            continue
        fields = {name: value for name, value in given.items() if name != "reason"}
        try:
            change = edited(found[detail_id], fields, invoice.currency, corrective=invoice.kind == "corrective")
        except (Invalid, Conflict) as problem:
            refused[detail_id] = problem
            continue
        if change:
            changes[detail_id] = change
    if changes:
        await _write(session, context, invoice, found, changes, wanted)
    return len(changes), refused


async def _write(
    session: AsyncSession,
    context: Context,
    invoice: Invoice,
    found: Mapping[UUID, Row],
    changes: Mapping[UUID, dict[str, Any]],
    wanted: Mapping[UUID, Given],
) -> None:
    before = [found[detail_id] for detail_id in changes]
    after = [{**found[detail_id], **change} for detail_id, change in changes.items()]
    await queries.update(session, invoice.id, after)
    sums = summed(after, invoice.id)
    for key, less in summed(before, invoice.id).items():
        sums[key] = sums[key] + -less
    await details.add_sums(session, sums)
    await invoices.change(session, context, [Change(invoice.id, "draft", sum(sums.values(), Sums()))])
    by_reason: dict[str | None, list[UUID]] = {}
    for detail_id in changes:
        by_reason.setdefault(wanted[detail_id].get("reason"), []).append(detail_id)
    happened = [
        Happened(
            invoice.id,
            "details_edited",
            {"details": [{"id": one, **{name: found[one][name] for name in changes[one]}} for one in ids]},
            {"details": [{"id": one, **changes[one]} for one in ids]},
            reason,
        )
        for reason, ids in by_reason.items()
    ]
    await invoices.remember(session, context, happened)


async def add(
    session: AsyncSession,
    context: Context,
    invoice_id: UUID,
    expected: int | None,
    wanted: Mapping[str, HandIn],
) -> tuple[list[DetailOut], Invoice]:
    """Adds details by hand, all or none; `wanted` by the JSON pointer of each.

    A repeat of the same call meets the details that the first one made. Raises NotFound, Stale, Invalid, and Conflict
    (`wrong_state`, also on a corrective; `class_not_included`; `limit_exceeded`).
    """
    ids = context.once_ids(len(wanted))
    invoice = await for_edit(session, invoice_id, expected, "add details")
    if invoice.kind == "corrective":
        raise Conflict("nothing is added to a corrective by hand", state=invoice.status)
    if not (there := await queries.find(session, invoice_id, ids)):
        lines = await queries.lines(session, invoice_id)
        told = {pointer: hand.model_dump() for pointer, hand in wanted.items()}
        rows = added(told, lines, invoice.currency)
        await _add(session, context, invoice, [{"id": one, **row} for one, row in zip(ids, rows, strict=True)])
        there = await queries.find(session, invoice_id, ids)
    by_id = {row["id"]: row for row in there}
    in_order = [by_id[one] for one in ids if one in by_id]
    return await shown(session, invoice, in_order), await invoices.one(session, invoice_id)


async def _add(session: AsyncSession, context: Context, invoice: Invoice, rows: Sequence[dict[str, Any]]) -> None:
    columns = [{"invoice_id": invoice.id, "source": "hand", **row} for row in rows]
    await details.add_details(session, [[row.get(name) for name in details.DETAIL_COLUMNS] for row in columns])
    sums = summed(rows, invoice.id)
    await details.add_sums(session, sums)
    await invoices.change(session, context, [Change(invoice.id, "draft", sum(sums.values(), Sums()))])
    after = {"details": [{name: value for name, value in row.items() if value is not None} for row in rows]}
    await invoices.remember(session, context, [Happened(invoice.id, "details_added", after=after)])
