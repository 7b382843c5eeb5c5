"""Chunks of claims become drafts, in whatever order they come (design §5.1, §5.7, §5.8)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.claims import queries as claims
from invoicing.claims.service import claim_dropped, drafted, lock_runs
from invoicing.details import queries as details
from invoicing.details.queries import LineKey, NewLine
from invoicing.details.rules import Figures
from invoicing.drafting import rules
from invoicing.invoices import queries as invoices
from invoicing.invoices.queries import Change, Happened
from invoicing.invoices.rules import Sums, zero
from invoicing.invoices.tables import Invoice
from proforma.context import Context
from proforma.errors import BrokenRule
from proforma.events.billing_backlog import ItemsClaimed
from proforma.outbox import emit

Row = Mapping[str, Any]


async def take_chunks(session: AsyncSession, context: Context, chunks: Sequence[ItemsClaimed]) -> None:
    """Puts the items of chunks on their runs' drafts; a chunk that is in, or whose claim is dropped, changes nothing.

    Locks run, invoice, claim, in this order, as everything here does. Raises BrokenRule when a chunk cannot be true.
    """
    for chunk in chunks:
        _check(chunk)
    await lock_runs(session, {chunk.claim.run_id for chunk in chunks})
    drafts = await invoices.lock_open(session, [chunk.claim.run_id for chunk in chunks])
    known = await _known(session, context, chunks, drafts)
    fresh = await _first_time(session, context, chunks, known)
    homes = {row["id"] for row in drafts.values()}
    if any(known[chunk.claim.id]["invoice_id"] not in homes for chunk in fresh):
        raise BrokenRule("a chunk of a claim whose invoice is not open any more")
    whole = await _fill(session, context, fresh, known) if fresh else set()
    asked = {chunk.claim.id for chunk in chunks} - {chunk.claim.id for chunk in fresh}
    await _answer(session, context, whole, [known[claim_id] for claim_id in asked])


def _check(chunk: ItemsClaimed) -> None:
    rules.check_chunk(
        chunk.chunk,
        chunk.chunks,
        chunk.claim.items,
        [item.id for item in chunk.items],
        {item.contract_line_id for item in chunk.items},
        [line.id for line in chunk.lines],
    )


def _told(chunk: ItemsClaimed) -> dict[str, Any]:
    claim = chunk.claim
    return {
        "run_id": claim.run_id,
        "contract_id": claim.contract_id,
        "chunks": chunk.chunks,
        "items": claim.items,
    }


async def _known(
    session: AsyncSession, context: Context, chunks: Sequence[ItemsClaimed], drafts: dict[UUID, Row]
) -> dict[UUID, Row]:
    """The claims, locked; new ones are on their run's open draft, which is opened where there is none."""
    known: dict[UUID, Row] = await claims.lock(session, [chunk.claim.id for chunk in chunks])
    new: dict[UUID, dict[str, Any]] = {}
    opened: list[Invoice] = []
    for chunk in chunks:
        claim = chunk.claim
        if claim.id in known:
            if known[claim.id]["status"] == "live":
                rules.check_claim(known[claim.id], _told(chunk))
                rules.check_draft(drafts.get(claim.run_id), claim.contract_id, claim.currency)
            continue
        if claim.run_id not in drafts:
            opened.append(_draft(context, chunk))
            drafts[claim.run_id] = {"id": claim.id, "contract_id": claim.contract_id, "currency": claim.currency}
        rules.check_draft(drafts[claim.run_id], claim.contract_id, claim.currency)
        told = {"id": claim.id, "invoice_id": drafts[claim.run_id]["id"], **_told(chunk)}
        rules.check_claim(new.setdefault(claim.id, told), told)
    if opened:
        session.add_all(opened)
        await session.flush()
        await invoices.remember(session, context, [Happened(one.id, "opened") for one in opened])
    if new:
        known.update({row["id"]: row for row in await claims.add(session, context, list(new.values()))})
    return known


def _draft(context: Context, chunk: ItemsClaimed) -> Invoice:
    """The draft that a claim opens; its id is the claim's, so that no second one can be opened for it."""
    claim, nothing, now = chunk.claim, zero(chunk.claim.currency), context.clock.now()
    return Invoice(
        id=claim.id,
        run_id=claim.run_id,
        contract_id=claim.contract_id,
        contract_name=claim.contract_name,
        customer_id=claim.customer.id,
        customer_name=claim.customer.name,
        customer_billing_address=claim.customer.billing_address,
        customer_payment_terms_days=claim.customer.payment_terms_days,
        customer_tax_id=claim.customer.tax_id,
        currency=claim.currency,
        invoice_date=claim.run_date,
        subtotal=nothing,
        tax=nothing,
        total=nothing,
        created_at=now,
        created_by=context.actor,
        updated_at=now,
    )


async def _first_time(
    session: AsyncSession, context: Context, chunks: Sequence[ItemsClaimed], known: Mapping[UUID, Row]
) -> list[ItemsClaimed]:
    """The chunks of live claims that were not in; they are from now on.

    (claim, chunk) is the key that keeps an item from an invoice twice: the details themselves have no such index.
    """
    live = {(chunk.claim.id, chunk.chunk): chunk for chunk in chunks if known[chunk.claim.id]["status"] == "live"}
    if not live:
        return []
    rows = [(claim_id, number, len(chunk.items)) for (claim_id, number), chunk in live.items()]
    new = await claims.add_chunks(session, context, rows)
    return [chunk for key, chunk in live.items() if key in new]


async def _answer(session: AsyncSession, context: Context, whole: set[UUID], asked: Sequence[Row]) -> None:
    """Says which drafts are whole now, and says again what became of claims that were told before.

    Told again means asked: an answer that got lost would leave the claim waiting in the backlog for ever.
    """
    in_full = {row["invoice_id"] for row in asked if row["status"] == "live" and row["seen"] == row["chunks"]}
    again = in_full - await claims.unfinished(session, in_full)
    dropped = [
        claim_dropped(context, row["invoice_id"], row["contract_id"], row["id"])
        for row in asked
        if row["status"] == "dropped"
    ]
    await emit(session, context, [*dropped, *await drafted(session, context, whole | again)])


async def _fill(
    session: AsyncSession, context: Context, fresh: Sequence[ItemsClaimed], known: Mapping[UUID, Row]
) -> set[UUID]:
    """Adds lines, details, sums and counts; returns the drafts that are whole now."""
    homes = {chunk.claim.id: known[chunk.claim.id]["invoice_id"] for chunk in fresh}
    by_line: dict[LineKey, Sums] = {}
    rows = [row for chunk in fresh for row in _details(context, chunk, homes[chunk.claim.id], by_line)]
    added = await details.add_lines(session, _lines(context, fresh, homes))
    await details.add_details(session, rows)
    await details.add_sums(session, by_line)
    finished = await _count(session, fresh, known)
    waiting = await claims.unfinished(session, set(homes.values()))
    await invoices.change(
        session,
        context,
        [
            Change(
                home,
                "building" if home in waiting else "draft",
                sum((sums for (invoice_id, _), sums in by_line.items() if invoice_id == home), Sums()),
                added.get(home, 0),
            )
            for home in sorted(set(homes.values()))
        ],
    )
    joined = [Happened(homes[claim], "claim_added", after={"claim_id": claim, **count}) for claim, count in finished]
    if joined:
        await invoices.remember(session, context, joined)
    return set(homes.values()) - waiting


def _lines(context: Context, fresh: Sequence[ItemsClaimed], homes: Mapping[UUID, UUID]) -> list[NewLine]:
    """The lines that the chunks name, each once per invoice: one statement must not meet the same row twice."""
    lines: dict[LineKey, NewLine] = {}
    for chunk in fresh:
        for line in chunk.lines:
            key = (homes[chunk.claim.id], line.id)
            if (same := lines.get(key)) is not None:
                lines[key] = replace(same, cut_off=rules.later(same.cut_off, line.cut_off))
                continue
            lines[key] = NewLine(
                invoice_id=key[0],
                id=context.ids(),
                contract_line_id=line.id,
                name=line.name,
                kind=line.kind,
                billing_method=line.billing_method,
                includes=line.includes,
                cut_off=line.cut_off,
                zero=zero(chunk.claim.currency),
            )
    return list(lines.values())


def _details(
    context: Context, chunk: ItemsClaimed, invoice_id: UUID, by_line: dict[LineKey, Sums]
) -> Iterator[Sequence[Any]]:
    """Rows for COPY, with fresh ids in the order of arrival; their sums are added to `by_line`."""
    figures, claim_id = Figures.of(chunk.claim.currency), chunk.claim.id
    for item in chunk.items:
        amount, tax = figures.amount(item.amount), figures.amount(item.tax)
        key = (invoice_id, item.contract_line_id)
        by_line[key] = by_line.get(key, Sums()) + Sums.of(item.billing_type, amount, tax)
        yield (
            invoice_id, context.ids(), item.contract_line_id, claim_id, item.id, item.entry_id, item.item_class,
            item.source, item.project, item.task, item.resource, item.role, item.category, item.product, item.date,
            figures.quantity(item.quantity), item.unit, figures.price(item.price), amount, tax, item.billing_type,
            item.description, item.external_description,
        )  # fmt: skip


async def _count(
    session: AsyncSession, fresh: Sequence[ItemsClaimed], known: Mapping[UUID, Row]
) -> list[tuple[UUID, dict[str, int]]]:
    """Counts chunks and items of the claims; returns the claims that are whole now."""
    seen: dict[UUID, tuple[int, int]] = {}
    for chunk in fresh:
        claim = known[chunk.claim.id]
        chunks, items = seen.get(chunk.claim.id, (claim["seen"], claim["items_seen"]))
        seen[chunk.claim.id] = (chunks + 1, items + len(chunk.items))
    for claim_id, (chunks, items) in seen.items():
        rules.check_counts(claim_id, chunks, known[claim_id]["chunks"], items, known[claim_id]["items"])
    await claims.count(session, seen)
    return [
        (claim_id, {"items": items})
        for claim_id, (chunks, items) in seen.items()
        if chunks == known[claim_id]["chunks"]
    ]
