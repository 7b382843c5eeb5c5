"""What a schedule would be: its rows as they would be made now, without keeping or locking anything."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.frequencies.rules import Terms
from billing_backlog.milestone_schedules.queries import dates_of
from billing_backlog.schedule_rows.queries import taken_dates
from billing_backlog.schedule_rows.rules import row_errors, taken_errors
from billing_backlog.schedule_rows.service import refuse
from billing_backlog.schedules.queries import facts_of
from billing_backlog.schedules.rules import LineFacts, terms_errors, terms_of
from billing_backlog.schedules.schemas import PreviewRowOut, SchedulePreviewIn, SchedulePreviewOut
from proforma.clock import today
from proforma.context import Context
from proforma.errors import Conflict

Rows = Sequence[tuple[date, date]]
"""(run date, cut-off), by run date."""


async def preview(session: AsyncSession, context: Context, body: SchedulePreviewIn) -> SchedulePreviewOut:
    """The rows of the schedule that this body would make; another schedule of the line is no hindrance.

    Raises Invalid naming every place that is wrong, Conflict for terms of a fixed-price line, which has none.
    """
    line = await _line(session, body.contract_line_id)
    if line is not None and body.contract_line_id is not None and line.billing_method == "fixed_price":
        return _shown(None, await _milestone_rows(session, context, body, body.contract_line_id))
    if body.frequency is None:
        return _shown(None, await _explicit_rows(session, body))
    day = today(context.clock, line.time_zone if line is not None else "UTC")
    terms = terms_of(body.frequency.rule(), body.start, body.end, body.cut_off_days_before, line, day)
    refuse(terms_errors(terms, day))
    taken = await _taken(session, body.contract_line_id, terms.dates(day))
    return _shown(
        terms, [(run_date, terms.cut_off(run_date)) for run_date in terms.dates(day) if run_date not in taken]
    )


async def _line(session: AsyncSession, line_id: UUID | None) -> LineFacts | None:
    if line_id is None:
        return None
    found = (await facts_of(session, [line_id])).get(line_id)
    if found is None:
        refuse([{"pointer": "/contract_line_id", "detail": f"no contract line {line_id}"}])
    return found


async def _milestone_rows(session: AsyncSession, context: Context, body: SchedulePreviewIn, line_id: UUID) -> Rows:
    if body.frequency is not None or body.rows is not None:
        raise Conflict(f"line {line_id} has a fixed price: the dates of its milestones are its rows")
    days = (await dates_of(session, context.clock.now(), [line_id])).get(line_id, [])
    taken = await _taken(session, line_id, days)
    return [(day, day) for day in days if day not in taken]


async def _explicit_rows(session: AsyncSession, body: SchedulePreviewIn) -> Rows:
    wanted = body.wanted()
    if not wanted:
        refuse([{"pointer": "/frequency", "detail": "a frequency, or rows"}])
    refuse(row_errors(wanted))
    if body.contract_line_id is not None:
        taken = await taken_dates(session, [(body.contract_line_id, row.run_date) for row in wanted])
        refuse(taken_errors("", wanted, body.contract_line_id, taken))
    return sorted((row.run_date, row.cut_off_or()) for row in wanted)


async def _taken(session: AsyncSession, line_id: UUID | None, days: Sequence[date]) -> set[date]:
    """Days on which the line has run: what is generated leaves them out."""
    if line_id is None:
        return set()
    return {day for _, day in await taken_dates(session, [(line_id, one) for one in days])}


def _shown(terms: Terms | None, rows: Rows) -> SchedulePreviewOut:
    return SchedulePreviewOut(
        start=terms.start if terms else None,
        end=terms.end if terms else None,
        rows=[PreviewRowOut(run_date=run_date, cut_off=cut_off) for run_date, cut_off in rows],
    )
