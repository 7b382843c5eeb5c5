"""`create-invoice` on contracts, and `/v1/invoice-runs`: what ran, what it took, what it left out and why."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from billing_backlog.runs import queries, service
from billing_backlog.runs.schemas import (
    CreateInvoiceIn,
    CreateInvoicesIn,
    LeftOutOut,
    LeftOutQuery,
    RunOut,
    RunQuery,
)
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import JobOut, Page
from proforma.db import fetch
from proforma.errors import NotFound
from proforma.http import Ctx, Tx, etag, router
from proforma.problems import problems

_READERS = role(*(ROLES - {"submitter"}))
_BILLERS = role("biller", "manager")

contract_routes = router("/v1/contracts", "invoice runs")
routes = router("/v1/invoice-runs", "invoice runs")


@contract_routes.post("/create-invoice", status_code=202, dependencies=[_BILLERS], responses=problems(409, 413))
async def create_invoices(body: CreateInvoicesIn, response: Response, session: Tx, context: Ctx) -> JobOut:
    """A manual run for each of many contracts: a job, one draft a contract that has something ready."""
    job = await service.create_invoices(session, context, body)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job


@contract_routes.post(
    "/{contract_id}/create-invoice", status_code=202, dependencies=[_BILLERS], responses=problems(404, 409, 413)
)
async def create_invoice(
    contract_id: UUID, response: Response, session: Tx, context: Ctx, body: CreateInvoiceIn | None = None
) -> RunOut:
    """A manual run: claims what is ready; invoicing drafts it. Nothing ready: the run is `skipped` and says why.

    Work is taken up to the cut-off, product lines and milestones whatever their date.
    """
    run = await service.create_invoice(session, context, contract_id, body or CreateInvoiceIn())
    response.headers["Location"] = f"/v1/invoice-runs/{run.id}"
    etag(response, run.version)
    return run


@routes.get("", dependencies=[_READERS])
async def list_runs(query: Annotated[RunQuery, Query()], session: Tx) -> Page[RunOut]:
    """Runs, sorted by id."""
    rows = await queries.runs_page(session, query, pages.after_id(query.after), query.limit + 1)
    page, following = pages.cut(rows, query.limit, lambda run: run.id)
    return Page(items=page, next=following)


@routes.get("/{run_id}", dependencies=[_READERS], responses=problems(404))
async def show_run(run_id: UUID, session: Tx, response: Response) -> RunOut:
    """One run with its claims and lines."""
    found = await queries.run_by_id(session, run_id)
    if found is None:
        raise NotFound(f"no run {run_id}")
    etag(response, found.version)
    return found


@routes.get("/{run_id}/left-out", dependencies=[_READERS], responses=problems(404))
async def left_out(
    run_id: UUID, query: Annotated[LeftOutQuery, Query()], session: Tx, context: Ctx
) -> Page[LeftOutOut]:
    """Item by item what of the run's lines is not on it, with the reason as of now."""
    if await queries.run_by_id(session, run_id) is None:
        raise NotFound(f"no run {run_id}")
    after = pages.after_id(query.after)
    rows = await fetch(session, queries.ITEMS, context.clock.now(), run_id, after, query.reason, query.limit + 1)
    page, following = pages.cut(rows, query.limit, lambda row: row["item_id"])
    return Page(items=[LeftOutOut.model_validate(dict(row)) for row in page], next=following)
