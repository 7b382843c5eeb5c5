"""Routes that every service has: jobs, what waits, dead letters."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from proforma import dead_letters, jobs, pages, waiting
from proforma.auth import ROLES, role
from proforma.bodies import Input, JobOut, Output, Page, Reason
from proforma.db import fetch
from proforma.handlers import Handlers
from proforma.http import Ctx, Tx, router
from proforma.problems import problems

PROBLEM_ROWS = "select * from job_problems where job_id = $1 and n > $2 order by n limit $3"


class WaitingOut(Output):
    """One thing that waits: `since` when, and why."""

    kind: str
    id: str
    since: datetime
    detail: str


class HeaderOut(Output):
    """One header of the message; what is not UTF-8 in its value is replaced."""

    name: str
    value: str | None


class DeadLetterOut(Output):
    """A message that could not take effect."""

    id: UUID
    topic: str
    partition: int
    offset: int
    event_id: UUID | None
    event_type: str | None
    key: str | None
    reason: str
    status: Literal["waiting", "replayed", "dropped"]
    created_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None


class DeadLetterWhole(DeadLetterOut):
    """The message itself: `body` is its text, `repaired` the body that a replay used instead."""

    headers: list[HeaderOut]
    body: str | None
    repaired: str | None


class ReplayIn(Input):
    """`body`: the repaired JSON text; without it the message is handled again as it came."""

    body: str | None = Field(default=None, max_length=dead_letters.REPAIRED_MAX, pattern=r"^[^\x00]*$")


class DropIn(Input):
    """Why the message is given up."""

    reason: Reason


class JobProblemOut(Output):
    """One row or thing that a job could not do."""

    n: int
    row: int | None
    target_id: UUID | None
    external_id: str | None
    reason: str
    detail: str


def _letter(row: Mapping[str, Any]) -> DeadLetterOut:
    return DeadLetterOut.model_validate({**row, "offset": row["kafka_offset"]})


def dead_letter_whole(row: Mapping[str, Any]) -> DeadLetterWhole:
    """The answer that shows all of a letter."""
    record = dead_letters.record_of(row, None)
    headers = [HeaderOut(name=name, value=_text(value)) for name, value in record.headers]
    return DeadLetterWhole(
        **_letter(row).model_dump(), headers=headers, body=_text(record.value), repaired=row["repaired"]
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


def admin_routers(handlers: Handlers, asks: Mapping[str, waiting.Ask] | None = None) -> list[APIRouter]:
    """The routers of jobs (everybody), waiting and dead letters (admin)."""
    return [_jobs(), _waiting(asks or {}), _letters(handlers)]


def _jobs() -> APIRouter:
    routes = router("/v1/jobs", "jobs")
    read = role(*ROLES)

    @routes.get("/{job_id}", dependencies=[read], responses=problems(404))
    async def show_job(job_id: UUID, session: Tx) -> JobOut:
        """How far a job is."""
        return await jobs.show(session, job_id)

    @routes.get("/{job_id}/problems", dependencies=[read], responses=problems(404))
    async def job_problems(
        job_id: UUID, session: Tx, limit: pages.Limit = 100, after: pages.After = None
    ) -> Page[JobProblemOut]:
        """What a job could not do, row by row."""
        await jobs.show(session, job_id)
        last = pages.number(after)
        rows = await fetch(session, PROBLEM_ROWS, job_id, last, limit + 1)
        page, following = pages.cut(rows, limit, lambda row: row["n"])
        return Page(items=[JobProblemOut.model_validate(dict(row)) for row in page], next=following)

    @routes.post("/{job_id}/cancel", dependencies=[role("approver", "biller", "manager", "service")],
                 responses=problems(404, 409))  # fmt: skip
    async def cancel_job(job_id: UUID, session: Tx, context: Ctx) -> JobOut:
        """Ends a job after the step in hand; what is done stays done."""
        return await jobs.cancel(session, context, job_id)

    return routes


def _waiting(asks: Mapping[str, waiting.Ask]) -> APIRouter:
    routes = router("/v1/waiting", "operation")

    @routes.get("", dependencies=[role("admin")])
    async def list_waiting(session: Tx, limit: pages.Limit = 100, after: pages.After = None) -> Page[WaitingOut]:
        """What waits, oldest first."""
        rows = await waiting.page(session, pages.waiting_key(after), limit + 1)
        page = rows[:limit]
        last = page[-1] if len(rows) > limit else None
        following = pages.encode(last["since"].isoformat(), last["kind"], last["id"]) if last else None
        return Page(items=[WaitingOut.model_validate(dict(row)) for row in page], next=following)

    @routes.post("/{thing}/ask", status_code=204, dependencies=[role("admin")], responses=problems(404, 409))
    async def ask_again(thing: str, session: Tx, context: Ctx) -> Response:
        """Asks the waiting thing's question again."""
        await waiting.ask(session, context, asks, thing)
        return Response(status_code=204)

    return routes


def _letters(handlers: Handlers) -> APIRouter:
    routes = router("/v1/dead-letters", "operation")
    admin = role("admin")

    @routes.get("", dependencies=[admin])
    async def list_dead_letters(
        session: Tx,
        status: Annotated[Literal["waiting", "replayed", "dropped"] | None, Query()] = None,
        limit: pages.Limit = 100,
        after: pages.After = None,
    ) -> Page[DeadLetterOut]:
        """Messages that could not take effect."""
        rows = await dead_letters.page(session, pages.after_id(after), status, limit + 1)
        page, following = pages.cut(rows, limit, lambda row: row["id"])
        return Page(items=[_letter(row) for row in page], next=following)

    @routes.get("/{letter_id}", dependencies=[admin], responses=problems(404))
    async def show_dead_letter(letter_id: UUID, session: Tx) -> DeadLetterWhole:
        """One of them, with its body and headers."""
        return dead_letter_whole(await dead_letters.show(session, letter_id))

    @routes.post("/{letter_id}/replay", dependencies=[admin], responses=problems(404, 409))
    async def replay(letter_id: UUID, session: Tx, context: Ctx, body: ReplayIn | None = None) -> DeadLetterWhole:
        """Handles it again, after the cause is repaired, or with a repaired body."""
        repaired = body.body if body else None
        return dead_letter_whole(await dead_letters.replay(session, context, handlers, letter_id, repaired))

    @routes.post("/{letter_id}/drop", dependencies=[admin], responses=problems(404, 409))
    async def drop(letter_id: UUID, body: DropIn, session: Tx, context: Ctx) -> DeadLetterWhole:
        """Gives it up, with a reason; what waited for it is answered."""
        return dead_letter_whole(await dead_letters.drop(session, context, handlers, letter_id, body.reason))

    return routes
