"""Schedules in the database and triggers for them, made short."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from billing_backlog.worker import HANDLERS
from proforma.clock import derived_id
from proforma.db import execute
from proforma.events.scheduler import RunDue
from proforma.runtime import Runtime
from tests.billing_backlog.scene import AT, CONTRACT, LINE, rows
from tests.support.events import deliver

TODAY = date(2026, 3, 2)
"""The tests' day: the clock stands at 09:00 UTC."""


async def schedule(
    runtime: Runtime, *days: date, line: UUID = LINE, contract: UUID = CONTRACT, cut_off: date | None = None
) -> None:
    """The line's schedule with these run dates, cut off the day before."""
    schedule_id = derived_id("schedule", line)
    async with runtime.database.transaction() as session:
        await execute(
            session,
            "insert into invoice_schedules (id, contract_id, contract_line_id, schedule_version, status, version,"
            " created_at, created_by, updated_at) values ($1, $2, $3, 1, 'active', 1, $4, 't', $4)",
            schedule_id, contract, line, AT,
        )  # fmt: skip
        await execute(
            session,
            "insert into schedule_rows (id, schedule_id, contract_line_id, run_date, cut_off)"
            " select gen_random_uuid(), $1, $2, d, coalesce($4, d - 1) from unnest($3::date[]) d",
            schedule_id, line, list(days), cut_off,
        )  # fmt: skip


def due(day: date = TODAY, *, line: UUID = LINE, contract: UUID = CONTRACT) -> RunDue:
    """The scheduler's word for a row; its row id and version are for information, so any will do."""
    return RunDue(
        contract_id=contract,
        contract_line_id=line,
        run_date=day,
        row_id=derived_id("row", line, day),
        schedule_version=1,
    )


async def come(runtime: Runtime, *triggers: RunDue) -> None:
    """Delivers triggers, as they come by Kafka."""
    await deliver(runtime, HANDLERS, *triggers)


async def statuses(runtime: Runtime, line: UUID = LINE) -> dict[date, str]:
    """Run date → status of the line's rows."""
    found = await rows(runtime, "select * from schedule_rows where contract_line_id = $1 order by run_date", line)
    return {row["run_date"]: row["status"] for row in found}


async def waiting(runtime: Runtime) -> list[dict[str, Any]]:
    """Triggers that wait, as the view shows them."""
    return await rows(runtime, "select id, since, detail from waiting where kind = 'trigger' order by detail")


def ago(days: int) -> date:
    """So many days before the tests' day; below zero after it."""
    return TODAY - timedelta(days=days)
