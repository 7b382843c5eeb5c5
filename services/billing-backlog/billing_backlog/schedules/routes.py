"""HTTP of invoice schedules."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from billing_backlog.schedules import queries, service
from billing_backlog.schedules.schemas import (
    InvoiceScheduleFilter,
    InvoiceScheduleIn,
    InvoiceScheduleOut,
    InvoiceSchedulePatch,
    InvoiceScheduleWithRows,
)
from proforma import pages
from proforma.auth import ROLES, role
from proforma.bodies import Items, OneOrMany, Page, by_pointer
from proforma.http import Ctx, IfMatch, Tx, etag, router
from proforma.problems import problems

READ = role(*ROLES)
WRITE = role("biller", "manager")

routes = router("/v1/invoice-schedules", "invoice-schedules")


@routes.post("", status_code=201, dependencies=[WRITE], responses=problems(409, 413))
async def create_schedule(
    body: OneOrMany[InvoiceScheduleIn], session: Tx, context: Ctx, response: Response
) -> InvoiceScheduleWithRows | Items[InvoiceScheduleWithRows]:
    """Makes the schedule of a contract line, or an array of them: all or nothing. It triggers runs from the moment
    the contract is active; explicit rows in the past run at once, generated ones begin today."""
    ids = await service.create_schedules(session, context, by_pointer(body))
    made = await queries.shown(session, ids)
    if isinstance(body, list):
        return Items(items=made)
    response.headers["Location"] = f"/v1/invoice-schedules/{made[0].id}"
    etag(response, made[0].version)
    return made[0]


@routes.get("", dependencies=[READ])
async def list_schedules(wanted: Annotated[InvoiceScheduleFilter, Query()], session: Tx) -> Page[InvoiceScheduleOut]:
    """Schedules, by id, without their rows."""
    rows, following = pages.cut(await queries.page(session, wanted), wanted.limit, lambda row: row["id"])
    return Page(items=[InvoiceScheduleOut.model_validate(row) for row in rows], next=following)


@routes.get("/{schedule_id}", dependencies=[READ], responses=problems(404))
async def show_schedule(schedule_id: UUID, session: Tx, response: Response) -> InvoiceScheduleWithRows:
    """One schedule with its rows and what became of them."""
    return await _shown(session, schedule_id, response)


@routes.patch("/{schedule_id}", dependencies=[WRITE], responses=problems(404, 409, 412, 413, 428))
async def change_schedule(
    *,
    schedule_id: UUID,
    body: InvoiceSchedulePatch,
    expected: IfMatch,
    session: Tx,
    context: Ctx,
    response: Response,
) -> InvoiceScheduleWithRows:
    """Replaces the rows that have not run, or the terms that generate them. A row that failed runs anew when its date
    is named again."""
    await service.change_schedule(session, context, schedule_id, expected, body)
    return await _shown(session, schedule_id, response)


@routes.delete("/{schedule_id}", status_code=204, dependencies=[WRITE], responses=problems(404, 409, 412, 428))
async def end_schedule(schedule_id: UUID, expected: IfMatch, session: Tx, context: Ctx) -> Response:
    """Ends the schedule: nothing of it runs any more; it stays to be read, with the rows that ran."""
    await service.end_schedule(session, context, schedule_id, expected)
    return Response(status_code=204)


async def _shown(session: Tx, schedule_id: UUID, response: Response) -> InvoiceScheduleWithRows:
    await queries.get_schedule(session, schedule_id)
    (found,) = await queries.shown(session, [schedule_id])
    etag(response, found.version)
    return found
