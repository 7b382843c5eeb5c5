"""Claiming: items move from ready to on_invoice, get their claim's id and are told, in one transaction."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.claims import queries
from billing_backlog.claims.rules import spread
from billing_backlog.contracts.queries import lock_contracts
from billing_backlog.ledger import service as ledger
from proforma import outbox
from proforma.context import Context
from proforma.db import execute, fetch, fetch_one
from proforma.envelope import Outgoing
from proforma.errors import BrokenRule, NotFound
from proforma.events.billing_backlog import Claim, ClaimCustomer, ClaimLine, ItemsClaimed

# Room in a chunk for the claim's header and the lines that it names.
_HEADER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What to take for one run: ready items of these lines dated up to each line's cut-off (inclusive).

    What lies before the line's billing start or after the contract's end is not taken, whatever its status. Of the
    contract's other lines the ready product lines are taken, and the ready milestones dated up to `milestones_to`
    (None: whatever their date); with `bounded` those of the lines with a cut-off only.
    """

    claim_id: UUID
    run_id: UUID
    run_kind: str
    run_date: date
    contract_id: UUID
    cut_offs: Mapping[UUID, date]
    milestones_to: date | None = None
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What one claim took from one line; amount is the chargeable part, in the contract's currency."""

    items: int
    amount: Decimal


async def claim(
    session: AsyncSession, context: Context, requests: Sequence[ClaimRequest], item_ids: Sequence[UUID] | None = None
) -> dict[UUID, dict[UUID, Taken]]:
    """Takes the items of up to 50 contracts at once; returns, by claim and line, what was taken (nothing: no claim).

    The caller has locked the contracts FOR UPDATE; the statement that takes the items begins after that, so what a
    biller unmarked before is not taken and what two runs want is taken once.
    """
    chunks = await _take(session, context, requests, item_ids)
    if not chunks:
        return {}
    contract_ids = [one.contract_id for one in requests]
    taken: dict[UUID, dict[UUID, Taken]] = defaultdict(dict)
    for row in await fetch(session, queries.TAKEN, contract_ids, list(chunks)):
        taken[row["claim_id"]][row["contract_line_id"]] = Taken(row["items"], row["amount"])
    made = [one for one in requests if one.claim_id in chunks]
    await _keep(session, context, made, chunks, taken)
    await outbox.emit(session, context, await _events(session, made, chunks, taken))
    return dict(taken)


Chunks = Mapping[UUID, Sequence[Mapping[str, Any]]]
"""By claim: its chunks as the database built them, items as JSON text."""


async def _take(
    session: AsyncSession, context: Context, requests: Sequence[ClaimRequest], item_ids: Sequence[UUID] | None
) -> Chunks:
    wanted = [
        (one.claim_id, one.contract_id, line_id, cut_off)
        for one in requests
        for line_id, cut_off in one.cut_offs.items()
    ]
    columns = [list(column) for column in zip(*wanted, strict=True)] or [[], [], [], []]
    rows = await fetch(
        session, queries.CLAIM, *columns,
        list(item_ids) if item_ids is not None else None, context.actor, context.clock.now(),
        context.limits.chunk_bytes_max - _HEADER_BYTES,
        [one.claim_id for one in requests], [one.contract_id for one in requests],
        [one.milestones_to for one in requests], [one.bounded for one in requests],
    )  # fmt: skip
    chunks: dict[UUID, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        chunks[row["claim_id"]].append(row)
    return chunks


async def _events(
    session: AsyncSession,
    made: Sequence[ClaimRequest],
    chunks: Chunks,
    taken: Mapping[UUID, Mapping[UUID, Taken]],
) -> list[Outgoing]:
    contract_ids = [one.contract_id for one in made]
    headers = {row["contract_id"]: row for row in await fetch(session, queries.HEADERS, contract_ids)}
    lines: dict[UUID, list[Mapping[str, Any]]] = defaultdict(list)
    for row in await fetch(session, queries.LINES, contract_ids):
        lines[row["contract_id"]].append(row)
    return [
        event
        for one in made
        for event in _chunk_events(
            one, headers[one.contract_id], lines[one.contract_id], chunks[one.claim_id], taken[one.claim_id]
        )
    ]


async def _keep(
    session: AsyncSession,
    context: Context,
    made: Sequence[ClaimRequest],
    chunks: Chunks,
    taken: Mapping[UUID, Mapping[UUID, Taken]],
) -> None:
    totals = {claim_id: list(lines.values()) for claim_id, lines in taken.items()}
    await execute(
        session,
        queries.INSERT,
        [one.claim_id for one in made],
        [one.run_id for one in made],
        [one.contract_id for one in made],
        [sum(line.items for line in totals[one.claim_id]) for one in made],
        [sum((line.amount for line in totals[one.claim_id]), Decimal(0)) for one in made],
        [len(chunks[one.claim_id]) for one in made],
        context.clock.now(),
        context.actor,
    )


def _chunk_events(
    request: ClaimRequest,
    header: Mapping[str, Any],
    lines: Sequence[Mapping[str, Any]],
    chunks: Sequence[Mapping[str, Any]],
    taken: Mapping[UUID, Taken],
) -> list[Outgoing]:
    claim_json = _claim(request, header, sum(line.items for line in taken.values())).model_dump_json()
    shown = {line["id"]: _line(line, request.cut_offs.get(line["id"])) for line in lines}
    others = spread([line for line_id, line in shown.items() if line_id not in taken], len(chunks))
    events = []
    for chunk, more in zip(chunks, others, strict=True):
        named = [shown[line_id] for line_id in chunk["line_ids"]] + more
        lines_json = json.dumps([line.model_dump(mode="json") for line in named])
        body = (
            f'{{"claim":{claim_json},"lines":{lines_json},"items":[{chunk["items"]}],'
            f'"chunk":{chunk["chunk"]},"chunks":{len(chunks)}}}'
        )
        events.append(Outgoing(ItemsClaimed.TOPIC, ItemsClaimed.TYPE, str(request.contract_id), body))
    return events


def _claim(request: ClaimRequest, header: Mapping[str, Any], items: int) -> Claim:
    customer = ClaimCustomer(
        id=header["customer_id"], name=header["customer_name"], billing_address=header["billing_address"],
        payment_terms_days=header["payment_terms_days"], tax_id=header["tax_id"],
    )  # fmt: skip
    return Claim.model_validate(
        {
            "id": request.claim_id, "run_id": request.run_id, "run_kind": request.run_kind,
            "run_date": request.run_date, "contract_id": request.contract_id,
            "contract_name": header["contract_name"], "customer": customer, "currency": header["currency"],
            "items": items,
        }
    )  # fmt: skip


def _line(line: Mapping[str, Any], cut_off: date | None) -> ClaimLine:
    return ClaimLine.model_validate({**line, "cut_off": cut_off})


async def drafted(session: AsyncSession, context: Context, claims: Sequence[tuple[UUID, UUID, int]]) -> None:
    """The draft has these claims' items: (claim, invoice, items). Raises BrokenRule when a count differs."""
    ids, invoices, counts = (list(column) for column in zip(*claims, strict=True))
    wrong = await fetch_one(session, queries.DRAFT_MISMATCH, ids, counts)
    if wrong is not None:
        raise BrokenRule(f"claim {wrong['claim_id']} has {wrong['items']} items, the draft says {wrong['n']}")
    await execute(session, queries.DRAFTED, ids, invoices, counts, context.clock.now())


async def release_items(
    session: AsyncSession, context: Context, releases: Sequence[tuple[UUID, UUID, UUID, str]]
) -> int:
    """Items that left a draft, as (contract, item, claim, by), are ready again; what does not match stays as it is."""
    contracts, items, claims, by = (list(column) for column in zip(*releases, strict=True))
    closed = await _lock(session, contracts)
    rows = await fetch(session, queries.RELEASE_ITEMS, items, claims, by, context.clock.now())
    await ledger.cancel_items(session, context, [row["id"] for row in rows if row["contract_id"] in closed])
    return len(rows)


async def release_claims(session: AsyncSession, context: Context, releases: Sequence[tuple[UUID, UUID, str]]) -> int:
    """All items of these claims, as (contract, claim, by), are ready again."""
    contracts, claims, by = (list(column) for column in zip(*releases, strict=True))
    closed = await _lock(session, contracts)
    rows = await fetch(session, queries.RELEASE_CLAIMS, contracts, claims, by, context.clock.now())
    await execute(session, queries.MARK_RELEASED, claims, context.clock.now())
    await ledger.cancel_items(session, context, [row["id"] for row in rows if row["contract_id"] in closed])
    return len(rows)


async def _lock(session: AsyncSession, contracts: Sequence[UUID]) -> set[UUID]:
    """Locks the contracts; returns the closed ones: what comes back to them is canceled, nobody would bill it."""
    return {row["id"] for row in await lock_contracts(session, contracts) if row["status"] == "closed"}


async def send_again(session: AsyncSession, context: Context, claim_id: str) -> None:
    """Sends the claim's chunks again, under new event ids; invoicing knows each chunk by (claim, chunk)."""
    row = await fetch_one(session, "select contract_id from claims where id = $1::uuid", UUID(claim_id))
    if row is None:
        raise NotFound(f"no claim {claim_id}")
    sent = await fetch(session, queries.CHUNKS_SENT, ItemsClaimed.TYPE, claim_id, str(row["contract_id"]))
    await outbox.emit(session, context, [Outgoing(one["topic"], one["type"], one["key"], one["body"]) for one in sent])
