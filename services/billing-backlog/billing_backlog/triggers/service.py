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
from proforma.db import driver, execute, fetch, fetch_value
from proforma.failures import is_deterministic
from proforma.telemetry import logger

TRIGGERS = Counter("proforma_triggers_total", "Triggers by what they did", ["outcome"])

CHANNEL = "waiting_triggers"
"""NOTIFY here wakes the loop that runs waiting triggers."""

_SOONEST = timedelta(minutes=1)
_PUT_OFF = timedelta(hours=1)
_REASON_MAX = 2000

log = logger()

Run = Callable[[AsyncSession, Context, date, Mapping[UUID, Sequence[RunLine]]], Awaitable[Mapping[UUID, RunOutcome]]]
"""Runs the due lines of one date, by contract; billing_backlog.runs in earnest."""

Contracts = Mapping[UUID, Mapping[str, Any]]
"""The locked contracts by id, those that exist."""

Mark = tuple[UUID, str, UUID | None, UUID | None]
"""What became of a row: (row, status, run, claim)."""


async def run_due(
    session: AsyncSession, context: Context, triggers: Sequence[Due], run: Run | None = None
) -> dict[Due, Outcome]:
    """Handles triggers in one transaction, each by its current row; returns what each did.

    The same (line, run date) twice runs once: the row is looked at behind its contract's lock, and has run then.
    A run that breaks is undone, failed, and holds up no other. What is away raises, and nothing is done.
    """
    wanted = distinct(triggers)
    if not wanted:
        return {}
    # All of them here, sorted: locked one by one below, two batches could wait for each other.
    contracts = {row["id"]: row for row in await lock_contracts(session, {due.contract_id for due in wanted})}
    run = run or run_all_scheduled
    outcomes: dict[Due, Outcome] = {}
    try:
        async with (await driver(session)).transaction():
            outcomes = await _settle(session, context, wanted, contracts, run)
    except Exception as error:
        if not is_deterministic(error):
            raise
        for _, group in groupby(wanted, key=lambda due: (due.run_date, due.contract_id)):
            outcomes |= await _alone(session, context, list(group), contracts, run)
    for done in outcomes.values():
        TRIGGERS.labels(done).inc()
    return outcomes


async def _alone(
    session: AsyncSession, context: Context, group: Sequence[Due], contracts: Contracts, run: Run
) -> dict[Due, Outcome]:
    """A contract's triggers of one date: they take effect, or nothing of them does and their rows are failed."""
    try:
        async with (await driver(session)).transaction():
            return await _settle(session, context, group, contracts, run)
    except Exception as error:
        if not is_deterministic(error):
            raise
        reason = f"{type(error).__name__}: {error}"
        log.error(
            "triggers.failed", contract_id=str(group[0].contract_id), run_date=str(group[0].run_date),
            reason=reason[:500],
        )  # fmt: skip
        await fail(session, context, group, reason)
        return dict.fromkeys(group, "failed")


async def _settle(
    session: AsyncSession, context: Context, wanted: Sequence[Due], contracts: Contracts, run: Run
) -> dict[Due, Outcome]:
    """What each trigger does, by the rows behind the contracts' locks; raises what a run raises."""
    rows = await queries.current_rows(session, wanted)
    outcomes = {due: _outcome(context, due, rows.get(due.key), contracts.get(due.contract_id)) for due in wanted}
    ahead = [due for due in wanted if outcomes[due] == "waits"]
    await _keep_waiting(session, context, ahead, contracts)
    settled = [due for due in wanted if outcomes[due] != "waits"]
    await execute(session, queries.DONE, *_keys(settled))
    await _run(session, context, [due for due in wanted if outcomes[due] == "run"], rows, run)
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


async def fail(session: AsyncSession, context: Context, group: Sequence[Due], reason: str) -> None:
    """Marks the rows of these triggers, of one contract and date, as failed, those that have not run.

    The run of their date stands failed, with the reason and with whatever it claimed before, until it is retried.
    """
    contract_id, run_date = group[0].contract_id, group[0].run_date
    await lock_contracts(session, [contract_id])
    current = await queries.current_rows(session, group)
    rows = {
        due.contract_line_id: row
        for due in group
        for row in [current.get(due.key)]
        if row is not None and row.contract_id == contract_id and row.status == "not_run"
    }
    if rows:
        lines = [RunLine(line_id, row.cut_off) for line_id, row in rows.items()]
        run_id = await fail_scheduled(session, context, contract_id, run_date, lines, reason[:_REASON_MAX])
        await _mark(session, context, [(row.id, "failed", run_id, None) for row in rows.values()])
    await execute(session, queries.DONE, *_keys(group))


async def waiting_due(session: AsyncSession, context: Context) -> list[Due]:
    """The waiting triggers whose day has begun, earliest first, a batch at most."""
    found = await fetch(session, queries.DUE, context.clock.now(), context.limits.consume_messages_max)
    return [Due(**row) for row in found]


async def next_due(session: AsyncSession) -> datetime | None:
    """When the earliest waiting trigger is due; None without one."""
    found: datetime | None = await fetch_value(session, queries.NEXT_DUE)
    return found


async def put_off(session: AsyncSession, context: Context, triggers: Sequence[Due]) -> None:
    """Leaves waiting triggers alone for an hour: they must not hold up the others, nor keep the loop busy."""
    await execute(session, queries.PUT_OFF, *_keys(triggers), context.clock.now() + _PUT_OFF)


async def ask(session: AsyncSession, _: Context, __: str) -> None:
    """Lets the loop look at once whether the day of what waits has begun."""
    await execute(session, f"notify {CHANNEL}")
