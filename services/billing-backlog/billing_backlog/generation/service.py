"""Generating rows by frequency: when terms begin or change, and every day anew, 24 months ahead.

Nothing here counts on having run before: rows are compared with what the terms name, so a day that was missed, or
done twice, makes no difference. Every caller but the daily one holds the contract's lock.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.frequencies.rules import Terms
from billing_backlog.generation import queries
from billing_backlog.generation.queries import Generated
from billing_backlog.schedule_rows import service as schedule_rows
from billing_backlog.schedule_rows.queries import exceptions_of, lock_contracts, rows_of
from billing_backlog.schedule_rows.rules import generated_rows
from proforma.clock import day_begins, today
from proforma.context import Context
from proforma.db import execute, fetch_value

CHANNEL = "schedule_extensions"
"""NOTIFY here wakes the loop that generates rows."""

_SOONEST = timedelta(minutes=1)


async def generate(session: AsyncSession, context: Context, schedule_ids: Collection[UUID]) -> list[UUID]:
    """Brings the rows of these schedules into line with their terms; returns those whose rows changed."""
    return await _generate(session, context, await queries.generated(session, ids=schedule_ids))


async def generate_of_contract(
    session: AsyncSession, context: Context, contract_id: UUID, line_id: UUID | None = None
) -> list[UUID]:
    """The same for all schedules of a contract, or of one of its lines."""
    schedules = await queries.generated(session, contracts=[contract_id], line=line_id)
    return await _generate(session, context, schedules)


async def terms_now(session: AsyncSession, schedule_ids: Collection[UUID]) -> list[Terms]:
    """The terms of these schedules as they hold now, with the defaults of their lines and contracts."""
    return [one.terms for one in await queries.generated(session, ids=schedule_ids)]


async def begin_anew(session: AsyncSession, context: Context, contract_id: UUID) -> list[UUID]:
    """Generates for a contract that becomes active: what its draft had generated for days that have passed goes.

    Only explicit rows may lie in the past (design §5.12); whatever those days would have taken, the next row takes.
    """
    schedules = await queries.generated(session, contracts=[contract_id])
    return await _generate(session, context, schedules, from_day=date.min)


async def extend(session: AsyncSession, context: Context, due: Mapping[UUID, Collection[UUID]]) -> int:
    """The day's generating of these schedules, by contract; returns how many got rows, each of which is said anew.

    Any number of processes may do it: whoever comes second to the contract's lock finds nothing that is missing.
    """
    await lock_contracts(session, due)
    changed = await generate(session, context, [schedule_id for ids in due.values() for schedule_id in ids])
    await schedule_rows.raise_versions(session, context, changed)
    await schedule_rows.announce(session, context, changed)
    return len(changed)


async def extension_due(session: AsyncSession, context: Context) -> dict[UUID, list[UUID]]:
    """Contract → its schedules whose day has begun; a batch at most."""
    return await queries.due(session, context.clock.now(), context.limits.batch_max // 10)


async def next_due(session: AsyncSession) -> datetime | None:
    """When the earliest schedule is to be extended; None without one."""
    found: datetime | None = await fetch_value(session, queries.NEXT_DUE)
    return found


async def put_off(session: AsyncSession, context: Context, schedule_ids: Collection[UUID]) -> None:
    """Leaves schedules that cannot be generated alone for a day: they must not hold up the others."""
    await execute(session, queries.PUT_OFF, list(schedule_ids), context.clock.now() + timedelta(days=1))


async def _generate(
    session: AsyncSession, context: Context, schedules: Sequence[Generated], from_day: date | None = None
) -> list[UUID]:
    ids = [one.id for one in schedules]
    rows, excepted = await rows_of(session, ids), await exceptions_of(session, ids)
    removed: dict[UUID, Sequence[UUID]] = {}
    added: dict[UUID, list[schedule_rows.NewRow]] = {}
    for one in schedules:
        day = today(context.clock, one.time_zone)
        wanted = {run_date: one.terms.cut_off(run_date) for run_date in one.terms.dates(day)}
        change = generated_rows(rows[one.id], wanted, excepted[one.id], from_day=from_day or day)
        removed[one.id] = change.removed
        added[one.id] = [(one.id, one.contract_line_id, *new) for new in change.added]
    await schedule_rows.drop(session, [row_id for gone in removed.values() for row_id in gone])
    put = await schedule_rows.insert_free(session, context, [row for new in added.values() for row in new])
    await _look_again(session, context, schedules)
    return [one for one in ids if removed[one] or one in put]


async def _look_again(session: AsyncSession, context: Context, schedules: Sequence[Generated]) -> None:
    """Each active contract's schedules are generated anew when its next day begins."""
    active = [one for one in schedules if one.contract_status == "active"]
    if not active:
        return
    now = context.clock.now()
    begins = [day_begins(today(context.clock, one.time_zone) + timedelta(days=1), one.time_zone) for one in active]
    # Where clocks go back over midnight it is yesterday once more, and the next day has begun before: not now again.
    begins = [at if at > now else now + _SOONEST for at in begins]
    await execute(session, queries.EXTEND_AT, [one.id for one in active], begins)
    await execute(session, f"notify {CHANNEL}")
