"""Invoice schedules: make, edit, end, and see what they would be."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.external_ids import refuse_taken
from billing_backlog.frequencies.schemas import kept
from billing_backlog.generation import service as generation
from billing_backlog.milestone_schedules import service as milestone_schedules
from billing_backlog.schedule_rows import service as schedule_rows
from billing_backlog.schedule_rows.queries import lock_contracts, taken_dates
from billing_backlog.schedule_rows.rules import CUT_OFF_DAYS_DEFAULT, row_errors, taken_errors
from billing_backlog.schedule_rows.service import refuse
from billing_backlog.schedules import queries
from billing_backlog.schedules.rules import LineFacts, terms_errors, terms_of
from billing_backlog.schedules.schemas import OF_FREQUENCY, InvoiceScheduleIn, InvoiceSchedulePatch
from billing_backlog.schedules.tables import InvoiceSchedule
from proforma.clock import today
from proforma.context import Context
from proforma.errors import Conflict, Invalid
from proforma.http import match

_COLUMNS = {"start": "start_date", "end": "end_date"}


async def create_schedules(
    session: AsyncSession, context: Context, sent: Mapping[str, InvoiceScheduleIn]
) -> list[UUID]:
    """Makes all of them, by pointer, or none; returns their ids in order.

    Raises Invalid naming every place that is wrong; Conflict, where one object was sent, for a closed contract, a
    fixed-price line, a line that has a schedule, or an external id that is taken.
    """
    refuse([{**e, "pointer": at + e["pointer"]} for at, body in sent.items() for e in row_errors(body.wanted())])
    statuses = await lock_contracts(session, [one.contract_id for one in (await _lines(session, sent)).values()])
    # Again behind the locks: a line that was deleted meanwhile would get a schedule of nothing.
    lines = await _lines(session, sent)
    await _refuse_unfit(session, sent, lines, statuses)
    await _refuse_ran(session, sent)
    _refuse_terms(context, sent, lines)
    await refuse_taken(session, InvoiceSchedule, {at: body.external_id for at, body in sent.items()})
    ids = context.once_ids(len(sent))
    session.add_all(
        _made(context, new, body, lines[body.contract_line_id]) for new, body in zip(ids, sent.values(), strict=True)
    )
    await session.flush()
    rows = [
        (new, body.contract_line_id, row.run_date, row.cut_off_or())
        for new, body in zip(ids, sent.values(), strict=True)
        for row in body.wanted()
    ]
    await schedule_rows.insert(session, context, rows, generated=False)
    by_frequency = [new for new, body in zip(ids, sent.values(), strict=True) if body.frequency is not None]
    await generation.generate(session, context, by_frequency)
    await schedule_rows.announce(session, context, ids)
    return ids


async def change_schedule(
    session: AsyncSession, context: Context, schedule_id: UUID, expected: int | None, patch: InvoiceSchedulePatch
) -> None:
    """Applies an edit; raises NotFound, Stale, Conflict (ended, milestones', external id taken), Invalid."""
    schedule, _ = await queries.lock_schedule(session, schedule_id)
    match(schedule.version, expected)
    _refuse_ended(schedule)
    changes = patch.changes()
    now = context.clock.now()
    if changes.get("external_id") not in (None, schedule.external_id):
        await refuse_taken(session, InvoiceSchedule, {"": changes["external_id"]})
    if "external_id" in changes:
        schedule.change({"external_id": changes["external_id"]}, now)
    moved = False
    if "rows" in changes:
        moved = await _replace_rows(session, context, schedule, patch)
    elif changes.keys() & {"frequency", *OF_FREQUENCY}:
        moved = await _change_terms(session, context, schedule, changes)
    if moved:
        schedule.schedule_version += 1
        schedule.touch(now)
    await session.flush()
    if moved:
        await schedule_rows.announce(session, context, [schedule_id])


async def end_schedule(session: AsyncSession, context: Context, schedule_id: UUID, expected: int | None) -> None:
    """Ends a schedule: what has not run goes, what ran stays to be seen. Raises NotFound, Stale, Conflict (ended)."""
    schedule, _ = await queries.lock_schedule(session, schedule_id)
    match(schedule.version, expected)
    _refuse_ended(schedule)
    _refuse_milestones(schedule)
    await schedule_rows.end(session, context, [schedule_id])


async def announce(session: AsyncSession, context: Context, contract_id: UUID) -> None:
    """Says what the contract's schedules are, when it becomes active: before that nobody is told of them.

    The caller holds the contract's lock and has written the new status.
    """
    changed = await generation.begin_anew(session, context, contract_id)
    await schedule_rows.raise_versions(session, context, changed)
    await schedule_rows.announce(session, context, await queries.of_contract(session, contract_id))
    await milestone_schedules.contract_activated(session, context, contract_id)


async def time_zone_changed(session: AsyncSession, context: Context, contract_id: UUID) -> None:
    """Says again, as new terms, what a contract's schedules are: their days begin at another moment now.

    The caller holds the contract's lock and has written the new zone.
    """
    await generation.generate_of_contract(session, context, contract_id)
    schedules = await queries.of_contract(session, contract_id)
    await schedule_rows.raise_versions(session, context, schedules)
    await schedule_rows.announce(session, context, schedules)


async def span_changed(
    session: AsyncSession, context: Context, contract_id: UUID, contract_line_id: UUID | None = None
) -> None:
    """Generates anew where a contract has another end date, or a line another billing start.

    Rows by frequency that lie outside now go; explicit ones stay. The caller holds the contract's lock and has
    written the change.
    """
    changed = await generation.generate_of_contract(session, context, contract_id, contract_line_id)
    await schedule_rows.raise_versions(session, context, changed)
    await schedule_rows.announce(session, context, changed)


async def end_all(session: AsyncSession, context: Context, contract_id: UUID) -> None:
    """Ends every schedule of a contract that is being closed. The caller holds the contract's lock."""
    await schedule_rows.end(session, context, await queries.of_contract(session, contract_id))


def _made(context: Context, new: UUID, body: InvoiceScheduleIn, line: LineFacts) -> InvoiceSchedule:
    now = context.clock.now()
    made = InvoiceSchedule(
        id=new, external_id=body.external_id, contract_id=line.contract_id, contract_line_id=body.contract_line_id,
        created_at=now, created_by=context.actor, updated_at=now,
    )  # fmt: skip
    if body.frequency is not None:
        made.source, made.frequency = "frequency", kept(body.frequency)
        made.start_date, made.end_date = body.start, body.end
        made.first_day = today(context.clock, line.time_zone)
        made.cut_off_days_before = body.cut_off_days_before
    return made


async def _replace_rows(
    session: AsyncSession, context: Context, schedule: InvoiceSchedule, patch: InvoiceSchedulePatch
) -> bool:
    _refuse_milestones(schedule)
    wanted = [row.wanted() for row in patch.rows]
    days_before = schedule.cut_off_days_before
    if days_before is None:
        days_before = CUT_OFF_DAYS_DEFAULT
    return await schedule_rows.replace(session, context, schedule.id, schedule.contract_line_id, wanted, days_before)


async def _change_terms(
    session: AsyncSession, context: Context, schedule: InvoiceSchedule, changes: Mapping[str, Any]
) -> bool:
    _refuse_milestones(schedule)
    if schedule.source != "frequency":
        sent = [name for name in ("frequency", *OF_FREQUENCY) if name in changes]
        detail = "the schedule has explicit rows; end it, and give the line one by frequency"
        raise Invalid("the schedule is not valid", [{"pointer": f"/{name}", "detail": detail} for name in sent])
    line = (await queries.facts_of(session, [schedule.contract_line_id]))[schedule.contract_line_id]
    columns = {_COLUMNS.get(name, name): changes[name] for name in OF_FREQUENCY if name in changes}
    if "frequency" in changes:
        columns["frequency"] = kept(changes["frequency"])
        if columns["frequency"] != schedule.frequency:
            columns["first_day"] = today(context.clock, line.time_zone)
    if not schedule.change(columns, context.clock.now()):
        return False
    await session.flush()
    (one,) = await generation.terms_now(session, [schedule.id])
    refuse(terms_errors(one, None))
    await generation.generate(session, context, [schedule.id])
    return True


async def _lines(session: AsyncSession, sent: Mapping[str, InvoiceScheduleIn]) -> dict[UUID, LineFacts]:
    """Every line that was named; raises Invalid for one that is not there."""
    lines = await queries.facts_of(session, [body.contract_line_id for body in sent.values()])
    refuse(
        [
            {"pointer": f"{at}/contract_line_id", "detail": f"no contract line {body.contract_line_id}"}
            for at, body in sent.items()
            if body.contract_line_id not in lines
        ]
    )
    return lines


async def _refuse_unfit(
    session: AsyncSession,
    sent: Mapping[str, InvoiceScheduleIn],
    lines: Mapping[UUID, LineFacts],
    statuses: Mapping[UUID, str],
) -> None:
    # Behind the contracts' locks: another create of the same line is before us, with its schedule, or after us.
    taken = await queries.active_of(session, [body.contract_line_id for body in sent.values()])
    errors, first = [], dict[UUID, str]()
    for at, body in sent.items():
        line_id, line = body.contract_line_id, lines[body.contract_line_id]
        wrong = None
        if statuses.get(line.contract_id) == "closed":
            wrong = f"contract {line.contract_id} is closed"
        elif line.billing_method == "fixed_price":
            wrong = f"line {line_id} has a fixed price: the dates of its milestones are its rows"
        elif line_id in taken:
            wrong = f"the line has schedule {taken[line_id]}"
        elif line_id in first:
            wrong = f"{first[line_id]} is of this line too"
        if wrong is not None:
            errors.append({"pointer": f"{at}/contract_line_id", "detail": wrong})
        first.setdefault(line_id, at)
    if errors and "" in sent:
        raise Conflict(errors[0]["detail"])
    refuse(errors)


async def _refuse_ran(session: AsyncSession, sent: Mapping[str, InvoiceScheduleIn]) -> None:
    wanted = {at: body.wanted() for at, body in sent.items()}
    dates = [(sent[at].contract_line_id, row.run_date) for at, rows in wanted.items() for row in rows]
    taken = await taken_dates(session, dates)
    refuse([e for at, rows in wanted.items() for e in taken_errors(at, rows, sent[at].contract_line_id, taken)])


def _refuse_terms(context: Context, sent: Mapping[str, InvoiceScheduleIn], lines: Mapping[UUID, LineFacts]) -> None:
    errors: list[dict[str, Any]] = []
    for at, body in sent.items():
        if body.frequency is not None:
            line = lines[body.contract_line_id]
            day = today(context.clock, line.time_zone)
            terms = terms_of(body.frequency.rule(), body.start, body.end, body.cut_off_days_before, line, day)
            errors += [{**error, "pointer": at + error["pointer"]} for error in terms_errors(terms, day)]
    refuse(errors)


def _refuse_ended(schedule: InvoiceSchedule) -> None:
    if schedule.status == "ended":
        raise Conflict(f"schedule {schedule.id} has ended; the line can be given another", state="ended")


def _refuse_milestones(schedule: InvoiceSchedule) -> None:
    if schedule.source == "milestones":
        raise Conflict(f"the rows of schedule {schedule.id} are the dates of its line's milestones: edit those")
