"""`/v1/actuals`, read only, and a contract's summary."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from billing_backlog.ledger import queries
from billing_backlog.ledger.schemas import ActualOut, ActualQuery, SummaryOut
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import Page
from proforma.errors import NotFound
from proforma.http import Tx, router
from proforma.problems import problems

_READERS = role(*(ROLES - {"submitter"}))
routes = router("/v1/actuals", "ledger")
contract_routes = router("/v1/contracts", "ledger")


@routes.get("", dependencies=[_READERS])
async def list_actuals(query: Annotated[ActualQuery, Query()], session: Tx) -> Page[ActualOut]:
    """The ledger, sorted by id: near to the order of posting, but what comes back has an id of its own kind."""
    rows = await queries.page(session, query, pages.after_id(query.after), query.limit + 1)
    page, following = pages.cut(rows, query.limit, lambda row: row.id)
    return Page(items=page, next=following)


@routes.get("/{actual_id}", dependencies=[_READERS], responses=problems(404))
async def show_actual(actual_id: UUID, session: Tx) -> ActualOut:
    """One row."""
    found = await queries.by_id(session, actual_id)
    if found is None:
        raise NotFound(f"no actual {actual_id}")
    return found


@contract_routes.get("/{contract_id}/summary", dependencies=[_READERS], responses=problems(404))
async def show_summary(contract_id: UUID, session: Tx) -> SummaryOut:
    """Cost, unbilled, ready, on draft and billed, per line and in all."""
    found = await queries.summary(session, contract_id)
    if found is None:
        raise NotFound(f"no contract {contract_id}")
    return found
