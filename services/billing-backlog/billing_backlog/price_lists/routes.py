"""HTTP of price lists."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.price_lists import queries, service
from billing_backlog.price_lists.schemas import (
    PriceListFilter,
    PriceListIn,
    PriceListOut,
    PriceListPatch,
    PriceListSummary,
)
from billing_backlog.price_lists.tables import PriceList
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import Items, OneOrMany, Page, by_pointer
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

READ = role(*ROLES)
WRITE = role("biller", "manager")

routes = router("/v1/price-lists", "price lists")


@routes.post("", status_code=201, dependencies=[WRITE], responses=problems(409, 413))
async def create_price_list(
    body: OneOrMany[PriceListIn], session: Tx, context: Ctx, response: Response
) -> PriceListOut | Items[PriceListOut]:
    """Makes one price list with its rates, or an array of them: all or nothing."""
    made = await _shown(session, await service.create_price_lists(session, context, by_pointer(body)))
    if isinstance(body, list):
        return Items(items=made)
    response.headers["Location"] = f"/v1/price-lists/{made[0].id}"
    etag(response, made[0].version)
    return made[0]


@routes.get("", dependencies=[READ])
async def list_price_lists(wanted: Annotated[PriceListFilter, Query()], session: Tx) -> Page[PriceListSummary]:
    """Price lists without their rates, by id."""
    rows, following = pages.cut(await queries.page(session, wanted), wanted.limit, lambda row: row["id"])
    return Page(items=[PriceListSummary.model_validate(dict(row)) for row in rows], next=following)


@routes.get("/{price_list_id}", dependencies=[READ], responses=problems(404))
async def show_price_list(price_list_id: UUID, session: Tx, response: Response) -> PriceListOut:
    """One price list with its rates."""
    row = await queries.get_price_list(session, price_list_id)
    etag(response, row.version)
    return (await _shown(session, [row]))[0]


@routes.patch("/{price_list_id}", dependencies=[WRITE], responses=problems(404, 409, 412, 413, 428))
async def change_price_list(
    *, price_list_id: UUID, body: PriceListPatch, expected: IfMatch, session: Tx, context: Ctx, response: Response
) -> PriceListOut:
    """Edits a price list; `rates` replaces all of them. Nothing that is posted is priced again."""
    row = await service.change_price_list(session, context, price_list_id, expected, body)
    etag(response, row.version)
    return (await _shown(session, [row]))[0]


@routes.delete("/{price_list_id}", status_code=204, dependencies=[WRITE], responses=problems(404, 409, 412, 428))
async def delete_price_list(price_list_id: UUID, expected: IfMatch, session: Tx) -> Response:
    """Deletes a price list that no contract uses."""
    await service.delete_price_list(session, price_list_id, expected)
    return Response(status_code=204)


async def _shown(session: AsyncSession, rows: Sequence[PriceList]) -> list[PriceListOut]:
    rates = await queries.rates_of(session, [row.id for row in rows])
    return [
        PriceListOut.model_validate(
            {**row.model_dump(), "rates": [dict(rate) for rate in rates[row.id]], "rate_count": len(rates[row.id])}
        )
        for row in rows
    ]
