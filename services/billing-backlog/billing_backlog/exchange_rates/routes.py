"""HTTP of exchange rates."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from billing_backlog.exchange_rates import queries, service
from billing_backlog.exchange_rates.schemas import (
    ExchangeRateFilter,
    ExchangeRateIn,
    ExchangeRateOut,
    ExchangeRatePatch,
)
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import Items, OneOrMany, Page, by_pointer
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

READ = role(*ROLES)
WRITE = role("biller", "manager")

routes = router("/v1/exchange-rates", "exchange rates")


@routes.post("", status_code=201, dependencies=[WRITE], responses=problems(409, 413))
async def create_exchange_rate(
    body: OneOrMany[ExchangeRateIn], session: Tx, context: Ctx, response: Response
) -> ExchangeRateOut | Items[ExchangeRateOut]:
    """Makes one rate, or an array of them: all or nothing. A pair of currencies has one rate a day."""
    rows = await service.create_rates(session, context, by_pointer(body))
    made = [ExchangeRateOut.model_validate(row) for row in rows]
    if isinstance(body, list):
        return Items(items=made)
    response.headers["Location"] = f"/v1/exchange-rates/{made[0].id}"
    etag(response, made[0].version)
    return made[0]


@routes.get("", dependencies=[READ])
async def list_exchange_rates(wanted: Annotated[ExchangeRateFilter, Query()], session: Tx) -> Page[ExchangeRateOut]:
    """Exchange rates, by id."""
    rows, following = pages.cut(await queries.page(session, wanted), wanted.limit, lambda row: row["id"])
    return Page(items=[ExchangeRateOut.model_validate(dict(row)) for row in rows], next=following)


@routes.get("/{exchange_rate_id}", dependencies=[READ], responses=problems(404))
async def show_exchange_rate(exchange_rate_id: UUID, session: Tx, response: Response) -> ExchangeRateOut:
    """One exchange rate."""
    row = await queries.get_rate(session, exchange_rate_id)
    etag(response, row.version)
    return ExchangeRateOut.model_validate(row)


@routes.patch("/{exchange_rate_id}", dependencies=[WRITE], responses=problems(404, 409, 412, 413, 428))
async def change_exchange_rate(
    *, exchange_rate_id: UUID, body: ExchangeRatePatch, expected: IfMatch, session: Tx, context: Ctx, response: Response
) -> ExchangeRateOut:
    """Corrects a rate. What is posted keeps the one that it was posted with."""
    row = await service.change_rate(session, context, exchange_rate_id, expected, body)
    etag(response, row.version)
    return ExchangeRateOut.model_validate(row)


@routes.delete("/{exchange_rate_id}", status_code=204, dependencies=[WRITE], responses=problems(404, 412, 428))
async def delete_exchange_rate(exchange_rate_id: UUID, expected: IfMatch, session: Tx) -> Response:
    """Deletes a rate: the one before it holds from now on."""
    await service.delete_rate(session, exchange_rate_id, expected)
    return Response(status_code=204)
