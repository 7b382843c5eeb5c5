"""What happens to triggers: announced, canceled, held back, published once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from proforma.bodies import Page
from proforma.context import Context
from proforma.db import execute, fetch, fetch_value
from proforma.errors import NotFound
from proforma.events.scheduler import RunDue
from proforma.outbox import emit
from proforma.pages import cut
from scheduler.triggers import queries
from scheduler.triggers.schemas import TriggerFilter, TriggerOut
from scheduler.triggers.tables import Trigger

PUBLISHED = Counter("proforma_scheduler_published_total", "Triggers published by this process")

CHANNEL = "triggers"
"""NOTIFY here wakes the publisher."""

_PUBLISHER = "proforma.scheduler.publisher"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a schedule as it was announced. `due_at`: when `run_date` begins; `held`: the schedule is paused."""

    schedule_id: UUID
    schedule_version: int
    contract_id: UUID
    contract_line_id: UUID
    row_id: UUID
    run_date: date
    cut_off: date
    due_at: datetime
    held: bool


@dataclass(frozen=True, slots=True)
class Released:
    """What resuming did: the trigger that was published, and how many earlier ones never will be."""

    published: UUID | None = None
    superseded: int = 0


async def replace(session: AsyncSession, context: Context, schedule_ids: Sequence[UUID], rows: Sequence[Row]) -> None:
    """Makes `rows` all that these schedules still have to trigger. The caller holds the schedules' row locks.

    What is gone and unpublished is canceled; what was published or superseded stays so. Two of `rows` may not
    have the same contract line, run date and row id.
    """
    if not schedule_ids:
        return
    now = context.clock.now()
    await execute(
        session, queries.CANCEL, list(schedule_ids), [row.row_id for row in rows], [row.run_date for row in rows], now
    )
    await execute(
        session,
        queries.KEEP,
        [context.ids() for _ in rows],
        [row.schedule_id for row in rows],
        [row.schedule_version for row in rows],
        [row.contract_id for row in rows],
        [row.contract_line_id for row in rows],
        [row.row_id for row in rows],
        [row.run_date for row in rows],
        [row.cut_off for row in rows],
        [row.due_at for row in rows],
        [row.held for row in rows],
        now,
        context.actor,
    )
    await wake(session)


async def wake(session: AsyncSession) -> None:
    """Wakes the publisher when this transaction commits."""
    await execute(session, f"notify {CHANNEL}")


async def may_publish(session: AsyncSession, *, patient: bool = False) -> bool:
    """Takes the publisher's lock until the transaction ends; False when another process has it.

    The status alone keeps a row from being published twice. The lock keeps several processes from reading the same
    due rows only to find them taken, and keeps the oldest-first order. `patient` waits for the other one.
    """
    if patient:
        await execute(session, queries.LOCK, _PUBLISHER)
        return True
    return bool(await fetch_value(session, queries.TRY_LOCK, _PUBLISHER))


async def publish_due(session: AsyncSession, context: Context, day: date | None = None) -> int:
    """Publishes the oldest due triggers (of `day` only, where given), a batch at most; returns how many.

    The status and the event are one transaction: a crash leaves both or neither, so a row is published once.
    """
    now = context.clock.now()
    rows = await fetch(session, queries.PUBLISH, now, context.limits.batch_max, day)
    rows.sort(key=lambda row: (row["due_at"], row["contract_id"], row["contract_line_id"]))
    await _announce(session, context, rows)
    return len(rows)


async def hold(session: AsyncSession, context: Context, schedule_id: UUID) -> Released:
    """Nothing of the schedule is published from now on. The caller holds the schedule's row lock."""
    await execute(session, queries.HOLD, schedule_id, context.clock.now())
    return Released()


async def release(session: AsyncSession, context: Context, schedule_id: UUID) -> Released:
    """Publishes the latest held trigger that is due, supersedes the earlier ones and lets the others go on.

    The caller holds the schedule's row lock.
    """
    rows = await fetch(session, queries.RELEASE, schedule_id, context.clock.now())
    published = [row for row in rows if row["status"] == "published"]
    await wake(session)
    await _announce(session, context, published)
    superseded = sum(row["status"] == "superseded" for row in rows)
    return Released(published[0]["id"] if published else None, superseded)


async def _announce(session: AsyncSession, context: Context, rows: Sequence[Mapping[str, Any]]) -> None:
    events = [
        RunDue(
            contract_id=row["contract_id"],
            contract_line_id=row["contract_line_id"],
            run_date=row["run_date"],
            row_id=row["row_id"],
            schedule_version=row["schedule_version"],
        )
        for row in rows
    ]
    await emit(session, context, events)
    PUBLISHED.inc(len(rows))


async def next_due(session: AsyncSession) -> datetime | None:
    """When the earliest upcoming trigger is due; None without one."""
    found: datetime | None = await fetch_value(session, queries.NEXT_DUE)
    return found


async def page(session: AsyncSession, filters: TriggerFilter) -> Page[TriggerOut]:
    """One page of triggers in the order of ids."""
    rows, following = cut(await queries.page(session, filters), filters.limit, lambda row: row.id)
    return Page(items=[TriggerOut.model_validate(row) for row in rows], next=following)


async def show(session: AsyncSession, trigger_id: UUID) -> TriggerOut:
    """One trigger; raises NotFound."""
    row = await session.get(Trigger, trigger_id)
    if row is None:
        raise NotFound(f"no trigger {trigger_id}")
    return TriggerOut.model_validate(row)


async def of_schedule(session: AsyncSession, schedule_id: UUID) -> list[TriggerOut]:
    """All but the canceled triggers of a schedule, by run date."""
    return [TriggerOut.model_validate(row) for row in await queries.of_schedule(session, schedule_id)]
