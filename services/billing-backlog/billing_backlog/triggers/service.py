"""Triggers: run what is due now, keep what is ahead of its day, acknowledge and count the rest."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.contracts.queries import lock_contracts
from billing_backlog.runs.service import RunLine, RunOutcome, fail_scheduled, run_all_scheduled
from billing_backlog.triggers import queries
from billing_backlog.triggers.rules import CurrentRow, Due, Outcome, distinct, outcome
from proforma.clock import day_begins, today
from proforma.context import Context
from proforma.db import execute, fetch, fetch_value

TRIGGERS = Counter("proforma_triggers_total", "Triggers by what they did", ["outcome"])

CHANNEL = "waiting_triggers"
"""NOTIFY here wakes the loop that runs waiting triggers."""

_SOONEST = timedelta(minutes=1)

Run = Callable[[AsyncSession, Context, date, Mapping[UUID, Sequence[RunLine]]], Awaitable[Mapping[UUID, RunOutcome]]]
"""Runs the due lines of one date, by contract; billing_backlog.runs in earnest."""

Mark = tuple[UUID, str, UUID | None, UUID | None]
"""What became of a row: (row, status, run, claim)."""


async def run_due(
    session: AsyncSession, context: Context, triggers: Sequence[Due], run: Run | None = None
) -> dict[Due, Outcome]:
    """Handles triggers in one transaction, each by its current row; returns what each did.

    The same (line, run date) twice runs once: the row is looked at behind its contract's lock, and has run then.
    Raises what a run raises; nothing is marked then.
    """
    wanted = distinct(triggers)
    if not wanted:
        return {}
    contracts = {row["id"]: row for row in await lock_contracts(session, {due.contract_id for due in wanted})}
    rows = await queries.current_rows(session, wanted)
    outcomes = {due: _outcome(context, due, rows.get(due.key), contracts.get(due.contract_id)) for due in wanted}
    ahead = [due for due in wanted if outcomes[due] == "waits"]
    await _keep_waiting(session, context, ahead, contracts)
    settled = [due for due in wanted if outcomes[due] != "waits"]
    await execute(session, queries.DONE, *_keys(settled))
    await _run(session, context, [due for due in wanted if outcomes[due] == "run"], rows, run or run_all_scheduled)
    for done in outcomes.values():
        TRIGGERS.labels(done).inc()
    return outcomes


def _outcome(context: Context, due: Due, row: CurrentRow | None, contract: Mapping[str, Any] | None) -> Outcome:
    if contract is None:
        return outcome(due, row, None, None)
    return outcome(due, row, contract["status"], today(context.clock, contract["time_zone"]))


async def _run(
    session: AsyncSession,
    context: Context,
    due_now: Sequence[Due],
    rows: Mapping[tuple[UUID, date], CurrentRow],
    run: Run,
) -> None:
    """All due lines of a contract and date under their one run, oldest date first; then the rows are marked.

    A date at a time: two runs of one contract in one statement would both want the same items.
    """
    marks: list[Mark] = []
    for run_date, group in groupby(due_now, key=lambda due: due.run_date):
        lines: dict[UUID, list[RunLine]] = defaultdict(list)
        for due in group:
            lines[due.contract_id].append(RunLine(due.contract_line_id, rows[due.key].cut_off))
        done = await run(session, context, run_date, lines)
        for contract_id, due_lines in lines.items():
            marks += _marks(done[contract_id], run_date, due_lines, rows)
    await _mark(session, context, marks)


def _marks(
    done: RunOutcome, run_date: date, lines: Sequence[RunLine], rows: Mapping[tuple[UUID, date], CurrentRow]
) -> list[Mark]:
    marks: list[Mark] = []
    for line in lines:
        claim_id = done.claim_id if line.contract_line_id in done.taken else None
        row = rows[line.contract_line_id, run_date]
        marks.append((row.id, "successful" if claim_id else "skipped", done.run_id, claim_id))
    return marks


async def _mark(session: AsyncSession, context: Context, marks: Sequence[Mark]) -> None:
    if not marks:
        return
    now = context.clock.now()
    columns = [list(column) for column in zip(*marks, strict=True)]
    touched = await fetch(session, queries.MARK, *columns, now)
    await execute(session, queries.TOUCH, sorted({row["schedule_id"] for row in touched}), now)


async def _keep_waiting(
    session: AsyncSession, context: Context, ahead: Sequence[Due], contracts: Mapping[UUID, Mapping[str, Any]]
) -> None:
    if not ahead:
        return
    now = context.clock.now()
    begins = [day_begins(due.run_date, contracts[due.contract_id]["time_zone"]) for due in ahead]
    await execute(
        session,
        queries.WAIT,
        [context.ids() for _ in ahead],
        *_keys(ahead),
        # Where clocks go back over midnight a day begins, and is still to come: it must not be due over and over.
        [at if at > now else now + _SOONEST for at in begins],
        now,
    )
    await execute(session, f"notify {CHANNEL}")


def _keys(triggers: Sequence[Due]) -> tuple[list[UUID], list[UUID], list[date]]:
    return (
        [due.contract_id for due in triggers],
        [due.contract_line_id for due in triggers],
        [due.run_date for due in triggers],
    )


async def fail(session: AsyncSession, context: Context, trigger: Due) -> None:
    """Marks the trigger's row as failed, if it has not run: its trigger was given up, so nothing would run it.

    The run of its date stands failed, where it has claimed nothing, and can be retried.
    """
    await lock_contracts(session, [trigger.contract_id])
    row = (await queries.current_rows(session, [trigger])).get(trigger.key)
    if row is not None and row.contract_id == trigger.contract_id and row.status == "not_run":
        lines = [RunLine(trigger.contract_line_id, row.cut_off)]
        reason = "the trigger was given up"
        await fail_scheduled(session, context, trigger.contract_id, trigger.run_date, lines, reason)
        await _mark(session, context, [(row.id, "failed", None, None)])
    await execute(session, queries.DONE, *_keys([trigger]))


async def waiting_due(session: AsyncSession, context: Context) -> list[Due]:
    """The waiting triggers whose day has begun, earliest first, a batch at most."""
    found = await fetch(session, queries.DUE, context.clock.now(), context.limits.consume_messages_max)
    return [Due(**row) for row in found]


async def next_due(session: AsyncSession) -> datetime | None:
    """When the earliest waiting trigger is due; None without one."""
    found: datetime | None = await fetch_value(session, queries.NEXT_DUE)
    return found


async def block(session: AsyncSession, triggers: Sequence[Due], problem: str) -> None:
    """Leaves waiting triggers alone, with the reason, until somebody asks for them again."""
    await execute(session, queries.BLOCK, *_keys(triggers), problem[:2000])


async def ask(session: AsyncSession, _: Context, trigger_id: str) -> None:
    """Lets a waiting trigger try again."""
    await execute(session, queries.ASK, UUID(trigger_id))
    await execute(session, f"notify {CHANNEL}")
