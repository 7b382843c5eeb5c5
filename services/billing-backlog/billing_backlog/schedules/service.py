"""Invoice schedules: make, edit, end; and what is said of them to whoever keeps a copy."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.external_ids import refuse_taken
from billing_backlog.schedules import queries
from billing_backlog.schedules.rules import WantedRow, replace_rows, row_errors, taken_errors
from billing_backlog.schedules.schemas import InvoiceScheduleIn, InvoiceSchedulePatch
from billing_backlog.schedules.tables import InvoiceSchedule
from proforma import outbox
from proforma.context import Context
from proforma.db import execute, fetch
from proforma.errors import Conflict, Invalid
from proforma.events.billing_backlog import ScheduleChanged, ScheduleEnded, ScheduleRow
from proforma.http import match

END = """
update invoice_schedules set status = 'ended', schedule_version = schedule_version + 1, version = version + 1,
  updated_at = $3
where status = 'active' and contract_id = $1 and ($2::uuid is null or id = $2)
returning id, contract_id, contract_line_id, schedule_version
"""
DROP_UNRUN = "delete from schedule_rows where schedule_id = any($1::uuid[]) and status = 'not_run'"
DROP_ROWS = "delete from schedule_rows where id = any($1::uuid[]) and status = 'not_run'"
RAISE = """
update invoice_schedules set schedule_version = schedule_version + 1, version = version + 1, updated_at = $2
where status = 'active' and contract_id = $1
"""

_ERRORS_MAX = 100


async def create_schedules(
    session: AsyncSession, context: Context, sent: Mapping[str, InvoiceScheduleIn]
) -> list[UUID]:
    """Makes all of them, by pointer, or none; returns their ids in order.

    Raises Invalid naming every place that is wrong; Conflict, where one object was sent, for a closed contract, a
    line that has a schedule, or an external id that is taken.
    """
    wanted = {at: [row.wanted() for row in body.rows] for at, body in sent.items()}
    _refuse([{**e, "pointer": at + e["pointer"]} for at, rows in wanted.items() for e in row_errors(rows)])
    contracts = await _contracts_of(session, sent)
    statuses = await queries.lock_contracts(session, contracts.values())
    # Again behind the locks: a line that was deleted meanwhile would get a schedule of nothing.
    contracts = await _contracts_of(session, sent)
    await _refuse_unfit(session, sent, contracts, statuses)
    await _refuse_ran(session, sent, wanted)
    await refuse_taken(session, InvoiceSchedule, {at: body.external_id for at, body in sent.items()})
    now = context.clock.now()
    ids = context.once_ids(len(sent))
    session.add_all(
        InvoiceSchedule(
            id=new, external_id=body.external_id, contract_id=contracts[body.contract_line_id],
            contract_line_id=body.contract_line_id, created_at=now, created_by=context.actor, updated_at=now,
        )
        for new, body in zip(ids, sent.values(), strict=True)
    )  # fmt: skip
    await session.flush()
    rows = [
        (new, sent[at].contract_line_id, row.run_date, row.cut_off_or_default())
        for new, at in zip(ids, sent, strict=True)
        for row in wanted[at]
    ]
    await _insert_rows(session, context, rows)
    await _announce(session, context, [one for one, status in statuses.items() if status == "active"], ids)
    return ids


async def change_schedule(
    session: AsyncSession, context: Context, schedule_id: UUID, expected: int | None, patch: InvoiceSchedulePatch
) -> None:
    """Applies an edit; raises NotFound, Stale, Conflict (ended, external id taken), Invalid (rows)."""
    schedule, contract_status = await queries.lock_schedule(session, schedule_id)
    match(schedule.version, expected)
    _refuse_ended(schedule)
    changes = patch.changes()
    now = context.clock.now()
    if changes.get("external_id") not in (None, schedule.external_id):
        await refuse_taken(session, InvoiceSchedule, {"": changes["external_id"]})
    if "external_id" in changes:
        schedule.change({"external_id": changes["external_id"]}, now)
    moved = "rows" in changes and await _replace_rows(session, context, schedule, [one.wanted() for one in patch.rows])
    if moved:
        schedule.schedule_version += 1
        schedule.touch(now)
    await session.flush()
    if moved and contract_status == "active":
        await _announce(session, context, [schedule.contract_id], [schedule_id])


async def end_schedule(session: AsyncSession, context: Context, schedule_id: UUID, expected: int | None) -> None:
    """Ends a schedule: what has not run goes, what ran stays to be seen. Raises NotFound, Stale, Conflict (ended)."""
    schedule, _ = await queries.lock_schedule(session, schedule_id)
    match(schedule.version, expected)
    _refuse_ended(schedule)
    await _end(session, context, schedule.contract_id, schedule_id)


async def announce(session: AsyncSession, context: Context, contract_id: UUID) -> None:
    """Says what the contract's schedules are, when it becomes active: before that nobody is told of them.

    The caller holds the contract's lock.
    """
    await _announce(session, context, [contract_id], None)


async def time_zone_changed(session: AsyncSession, context: Context, contract_id: UUID) -> None:
    """Says again, as new terms, what an active contract's schedules are: their days begin at another moment now.

    The caller holds the contract's lock and has written the new zone.
    """
    await execute(session, RAISE, contract_id, context.clock.now())
    await _announce(session, context, [contract_id], None)


async def end_all(session: AsyncSession, context: Context, contract_id: UUID) -> None:
    """Ends every schedule of a contract that is being closed. The caller holds the contract's lock."""
    await _end(session, context, contract_id, None)


async def _end(session: AsyncSession, context: Context, contract_id: UUID, schedule_id: UUID | None) -> None:
    ended = await fetch(session, END, contract_id, schedule_id, context.clock.now())
    await execute(session, DROP_UNRUN, [row["id"] for row in ended])
    events = [
        ScheduleEnded(
            contract_id=row["contract_id"],
            contract_line_id=row["contract_line_id"],
            schedule_id=row["id"],
            schedule_version=row["schedule_version"],
        )
        for row in ended
    ]
    await outbox.emit(session, context, events)


async def _announce(
    session: AsyncSession, context: Context, contract_ids: Sequence[UUID], schedule_ids: Sequence[UUID] | None
) -> None:
    schedules = await fetch(session, queries.TO_ANNOUNCE, list(contract_ids), schedule_ids)
    rows: Mapping[UUID, list[ScheduleRow]] = defaultdict(list)
    for row in await fetch(session, queries.UNRUN, [one["id"] for one in schedules]):
        rows[row["schedule_id"]].append(ScheduleRow(id=row["id"], run_date=row["run_date"], cut_off=row["cut_off"]))
    events = [
        ScheduleChanged(
            contract_id=one["contract_id"],
            contract_line_id=one["contract_line_id"],
            schedule_id=one["id"],
            schedule_version=one["schedule_version"],
            time_zone=one["time_zone"],
            rows=rows[one["id"]],
        )
        for one in schedules
    ]
    await outbox.emit(session, context, events)


async def _replace_rows(
    session: AsyncSession, context: Context, schedule: InvoiceSchedule, wanted: Sequence[WantedRow]
) -> bool:
    change = replace_rows(await queries.rows_of(session, schedule.id), wanted)
    _refuse(change.errors)
    line_id = schedule.contract_line_id
    await execute(session, DROP_ROWS, list(change.removed))
    taken = await queries.taken_dates(session, [(line_id, run_date) for run_date, _ in change.added])
    _refuse(taken_errors("", wanted, line_id, taken))
    rows = [(schedule.id, line_id, run_date, cut_off) for run_date, cut_off in change.added]
    await _insert_rows(session, context, rows)
    return bool(change.removed or change.added)


async def _insert_rows(session: AsyncSession, context: Context, rows: Sequence[tuple[UUID, UUID, date, date]]) -> None:
    """Rows as (schedule, line, run date, cut-off), under fresh ids: a date moved away and back must run again.

    They take the places of failed ones.
    """
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
    await execute(session, queries.DROP_FAILED, columns[1], columns[2])
    await execute(session, queries.INSERT_ROWS, [context.ids() for _ in rows], *columns)


async def _contracts_of(session: AsyncSession, sent: Mapping[str, InvoiceScheduleIn]) -> dict[UUID, UUID]:
    """Line → contract of every line that was named; raises Invalid for one that is not there."""
    found = await fetch(session, queries.LINES, [body.contract_line_id for body in sent.values()])
    contracts: dict[UUID, UUID] = {row["id"]: row["contract_id"] for row in found}
    _refuse(
        [
            {"pointer": f"{at}/contract_line_id", "detail": f"no contract line {body.contract_line_id}"}
            for at, body in sent.items()
            if body.contract_line_id not in contracts
        ]
    )
    return contracts


async def _refuse_unfit(
    session: AsyncSession,
    sent: Mapping[str, InvoiceScheduleIn],
    contracts: Mapping[UUID, UUID],
    statuses: Mapping[UUID, str],
) -> None:
    lines = [body.contract_line_id for body in sent.values()]
    # Behind the contracts' locks: another create of the same line is before us, with its schedule, or after us.
    taken = await queries.active_of(session, lines)
    errors, first = [], dict[UUID, str]()
    for at, body in sent.items():
        line_id = body.contract_line_id
        if statuses.get(contracts[line_id]) == "closed":
            errors.append({"pointer": f"{at}/contract_line_id", "detail": f"contract {contracts[line_id]} is closed"})
        elif line_id in taken:
            errors.append({"pointer": f"{at}/contract_line_id", "detail": f"the line has schedule {taken[line_id]}"})
        elif line_id in first:
            errors.append({"pointer": f"{at}/contract_line_id", "detail": f"{first[line_id]} is of this line too"})
        first.setdefault(line_id, at)
    if errors and "" in sent:
        raise Conflict(errors[0]["detail"])
    _refuse(errors)


async def _refuse_ran(
    session: AsyncSession, sent: Mapping[str, InvoiceScheduleIn], wanted: Mapping[str, Sequence[WantedRow]]
) -> None:
    dates = [(sent[at].contract_line_id, row.run_date) for at, rows in wanted.items() for row in rows]
    taken = await queries.taken_dates(session, dates)
    _refuse([e for at, rows in wanted.items() for e in taken_errors(at, rows, sent[at].contract_line_id, taken)])


def _refuse_ended(schedule: InvoiceSchedule) -> None:
    if schedule.status == "ended":
        raise Conflict(f"schedule {schedule.id} has ended; the line can be given another", state="ended")


def _refuse(errors: Collection[dict[str, Any]]) -> None:
    if errors:
        raise Invalid("the schedule is not valid", list(errors)[:_ERRORS_MAX])
