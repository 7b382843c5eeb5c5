"""Further claims on a run: what became ready since, chosen items, and a failed run once more.

Each is a claim of its own under the run: it joins the run's open draft, or opens one (design §2). The contract is
locked first and the run read behind it, so of two calls at once the second sees what the first one took.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.run_claims.rules import ALLOWED, Verb, allowed
from billing_backlog.runs.queries import BY_CLAIMS, lines_of
from billing_backlog.runs.service import Plan, lock_active, take
from proforma.clock import today
from proforma.context import Context
from proforma.db import execute, fetch, fetch_one, fetch_value
from proforma.errors import Conflict, NotFound
from proforma.http import match

FAILED_RUNS = Gauge("proforma_backlog_failed_runs", "Runs of active contracts that failed and wait to be retried")

RUN = "select * from runs where id = $1"
LINES = "select contract_line_id, cut_off from run_lines where run_id = $1 order by contract_line_id"
RETRIED = f"""
update runs set status = {BY_CLAIMS}, reason = case when {BY_CLAIMS} = 'skipped' then 'nothing_to_bill' end
where id = $1
"""
FAILED = """
select count(*) from runs r join contracts c on c.id = r.contract_id where r.status = 'failed' and c.status = 'active'
"""
# The rows of the calendar that failed have run now.
ROWS_RAN = """
update schedule_rows r set status = case when w.taken then 'successful' else 'skipped' end, run_id = $3, ran_at = $5,
       claim_id = case when w.taken then $4::uuid end
from unnest($1::uuid[], $6::bool[]) w (line_id, taken)
where r.contract_line_id = w.line_id and r.run_date = $2 and r.status = 'failed'
"""


async def refresh(session: AsyncSession, context: Context, run_id: UUID, expected: int | None) -> None:
    """Claims what became ready since within the run's lines and cut-offs; nothing where the run named its items.

    Raises NotFound, Stale, Conflict (a failed run, a contract that is not active).
    """
    run, _ = await _lock(session, run_id, expected, "refresh")
    if run["named_items"]:
        return
    cut_offs = _bounded(await _lines(session, run_id))
    await take(session, context, [_plan(context, run, cut_offs, cut_offs, bounded=True)])


async def claim(
    session: AsyncSession, context: Context, run_id: UUID, expected: int | None, item_ids: Sequence[UUID]
) -> None:
    """Claims these items, as far as they are ready and the contract's, whatever the run's cut-offs; none in the future.

    Their lines stand under the run without a cut-off: a refresh does not widen to them. Raises as `refresh` does.
    """
    run, contract = await _lock(session, run_id, expected, "claim")
    day = today(context.clock, contract["time_zone"])
    cut_offs = dict.fromkeys((await lines_of(session, [run["contract_id"]]))[run["contract_id"]], day)
    await take(session, context, [_plan(context, run, cut_offs, await _lines(session, run_id))], item_ids)


async def retry(session: AsyncSession, context: Context, run_id: UUID, expected: int | None) -> None:
    """Runs a failed run now, with its lines and cut-offs; its failed rows say what became of them.

    What it has claimed stays claimed and is not claimed again: only what is ready is taken.

    Raises NotFound, Stale, Conflict (not failed, a contract that is not active).
    """
    run, _ = await _lock(session, run_id, expected, "retry")
    cut_offs = _bounded(await _lines(session, run_id))
    plan = _plan(context, run, cut_offs, cut_offs)
    taken = (await take(session, context, [plan])).get(plan.claim_id, {})
    lines = list(cut_offs)
    await execute(
        session, ROWS_RAN, lines, run["run_date"], run_id, plan.claim_id, context.clock.now(),
        [line in taken for line in lines],
    )  # fmt: skip
    await execute(session, RETRIED, run_id)


async def retry_again(session: AsyncSession, context: Context, run_id: str) -> None:
    """As `retry`, for somebody who looks at what waits; whatever the run's version is."""
    await retry(session, context, UUID(run_id), None)


async def measure(session: AsyncSession) -> None:
    """Sets the gauge of failed runs."""
    FAILED_RUNS.set(await fetch_value(session, FAILED))


async def _lock(
    session: AsyncSession, run_id: UUID, expected: int | None, verb: Verb
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The run and its contract behind the contract's lock. A run never changes its contract."""
    contract_id = (await _run(session, run_id))["contract_id"]
    contract = (await lock_active(session, [contract_id]))[contract_id]
    run = await _run(session, run_id)
    match(run["version"], expected)
    if not allowed(verb, run["status"]):
        raise Conflict(f"the run is {run['status']}", state=run["status"], allowed=list(ALLOWED[verb]))
    return run, contract


async def _run(session: AsyncSession, run_id: UUID) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = await fetch_one(session, RUN, run_id)
    if found is None:
        raise NotFound(f"no run {run_id}")
    return found


async def _lines(session: AsyncSession, run_id: UUID) -> dict[UUID, date | None]:
    return {row["contract_line_id"]: row["cut_off"] for row in await fetch(session, LINES, run_id)}


def _bounded(lines: Mapping[UUID, date | None]) -> dict[UUID, date]:
    return {line: cut_off for line, cut_off in lines.items() if cut_off is not None}


def _plan(
    context: Context,
    run: Mapping[str, Any],
    cut_offs: Mapping[UUID, date],
    shown: Mapping[UUID, date | None],
    *,
    bounded: bool = False,
) -> Plan:
    return Plan(
        run["id"], run["kind"], run["contract_id"], run["run_date"], cut_offs, shown, run["cut_off"], bounded,
        claim_id=context.once_id(),
    )  # fmt: skip
