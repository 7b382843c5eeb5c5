"""`/v1/postings`: what confirmed invoices have posted, and the two exits of what is blocked."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.postings import queries, service
from billing_backlog.postings.schemas import AcceptIn, PostingOut, PostingQuery
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import Page
from proforma.db import fetch
from proforma.errors import NotFound
from proforma.http import Ctx, IfMatch, Tx, etag, match, router
from proforma.problems import problems

routes = router("/v1/postings", "postings")
_READERS = role(*(ROLES - {"submitter"}))
_SHOWN_BLOCKED = 1_000


async def _shown(session: AsyncSession, rows: list[Mapping[str, Any]]) -> list[PostingOut]:
    totals = {row["invoice_id"]: row for row in await fetch(session, queries.TOTALS, [r["invoice_id"] for r in rows])}
    found = []
    for row in rows:
        sums = totals[row["invoice_id"]]
        blocked = await fetch(session, queries.BLOCKED, row["invoice_id"], _SHOWN_BLOCKED) if sums["blocked"] else []
        names = ("count", "quantity", "amount", "tax")
        found.append(
            PostingOut.model_validate(
                {
                    **row,
                    "wanted": {name: row[f"{name}_wanted"] for name in names},
                    "posted": {name: sums[name] for name in names},
                    "blocked": [dict(one) for one in blocked],
                }
            )
        )
    return found


async def _one(session: AsyncSession, invoice_id: UUID) -> PostingOut:
    rows = await fetch(session, "select * from postings where invoice_id = $1", invoice_id)
    if not rows:
        raise NotFound(f"no posting of invoice {invoice_id}")
    return (await _shown(session, [dict(rows[0])]))[0]


@routes.get("", dependencies=[_READERS])
async def list_postings(query: Annotated[PostingQuery, Query()], session: Tx) -> Page[PostingOut]:
    """Postings, sorted by invoice id."""
    after = pages.after_id(query.after)
    rows = await fetch(session, queries.LIST, after, query.status, query.contract_id, query.limit + 1)
    page, following = pages.cut(rows, query.limit, lambda row: row["invoice_id"])
    return Page(items=await _shown(session, [dict(row) for row in page]), next=following)


@routes.get("/{invoice_id}", dependencies=[_READERS], responses=problems(404))
async def show_posting(invoice_id: UUID, response: Response, session: Tx) -> PostingOut:
    """One invoice's posting."""
    found = await _one(session, invoice_id)
    etag(response, found.version)
    return found


@routes.post("/{invoice_id}/retry", dependencies=[role("biller", "manager")], responses=problems(404, 409, 412, 428))
async def retry(invoice_id: UUID, expected: IfMatch, response: Response, session: Tx, context: Ctx) -> PostingOut:
    """Matches the blocked details again, after the cause is repaired."""
    match((await _one(session, invoice_id)).version, expected)
    await service.retry(session, context, invoice_id)
    found = await _one(session, invoice_id)
    etag(response, found.version)
    return found


@routes.post("/{invoice_id}/accept", dependencies=[role("admin")], responses=problems(404, 409, 412, 413, 428))
async def accept(
    invoice_id: UUID, body: AcceptIn, expected: IfMatch, response: Response, session: Tx, context: Ctx
) -> PostingOut:
    """Posts the blocked details as billed only: a person answers for them, with a reason."""
    match((await _one(session, invoice_id)).version, expected)
    await service.accept(session, context, invoice_id, body.reason)
    found = await _one(session, invoice_id)
    etag(response, found.version)
    return found
