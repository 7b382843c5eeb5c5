"""Runs: manual (one contract, or many as a job) and scheduled (a contract's due lines of one date)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.claims.service import ClaimRequest, Taken, claim
from billing_backlog.contracts.queries import lock_contracts
from billing_backlog.runs import queries
from billing_backlog.runs.queries import BY_CLAIMS, STILL_FAILED
from billing_backlog.runs.schemas import CreateInvoiceIn, CreateInvoicesIn, RunOut
from proforma import jobs
from proforma.bodies import JobOut
from proforma.clock import derived_id, today
from proforma.context import Context
from proforma.db import execute, fetch
from proforma.errors import Conflict, Invalid, NotFound
from proforma.jobs import Job, JobProblem, Step

INSERT_RUNS = f"""
insert into runs (id, kind, contract_id, run_date, cut_off, named_items, status, reason, created_at, created_by,
                  updated_at)
select i, $7, c, d, o, $8, s, case when s = 'skipped' then 'nothing_to_bill' end, $9, $10, $9
from unnest($1::uuid[], $2::uuid[], $3::date[], $4::date[], $5::text[], $6::int[]) rows (i, c, d, o, s, n) order by n
on conflict (id) do update set updated_at = excluded.updated_at, version = runs.version + 1,
  status = case when {STILL_FAILED} then 'failed' else {BY_CLAIMS} end,
  reason = case when {STILL_FAILED} then runs.reason when {BY_CLAIMS} = 'skipped' then 'nothing_to_bill' end
"""
INSERT_LINES = """
insert into run_lines (run_id, contract_line_id, cut_off, items, amount, left_out)
select * from unnest($1::uuid[], $2::uuid[], $3::date[], $4::int[], $5::numeric[], $6::text[])
on conflict (run_id, contract_line_id) do update set cut_off = greatest(run_lines.cut_off, excluded.cut_off),
  items = run_lines.items + excluded.items, amount = run_lines.amount + excluded.amount, left_out = excluded.left_out
"""
FAIL = """
insert into runs (id, kind, contract_id, run_date, status, reason, created_at, created_by, updated_at)
values ($1, 'scheduled', $2, $3, 'failed', $4, $5, $6, $5)
on conflict (id) do update set status = 'failed', reason = excluded.reason, version = runs.version + 1,
  updated_at = excluded.updated_at
"""
PLAN_IDS = """
insert into job_targets (job_id, n, target_id) select $1, row_number() over (order by i), i
from (select distinct i from unnest($2::uuid[]) i) wanted
"""
PLAN_FILTER = """
insert into job_targets (job_id, n, target_id) select $1, row_number() over (order by id), id from contracts
where status = 'active' and ($2::uuid is null or customer_id = $2) and ($3::text is null or external_id = $3)
"""
TARGETS = "select n, target_id from job_targets where job_id = $1 and n > $2 order by n limit $3"


@dataclass(frozen=True, slots=True)
class RunLine:
    """A due line of a scheduled run: work dated up to `cut_off` (inclusive) is taken."""

    contract_line_id: UUID
    cut_off: date


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run took, by contract line; `claim_id` None: nothing was to bill."""

    run_id: UUID
    claim_id: UUID | None
    taken: Mapping[UUID, Taken]


@dataclass(frozen=True, slots=True)
class Plan:
    """A taking of items that is about to take place. `cut_offs`: from which lines it takes work, up to which day.

    `shown`: the lines that the run tells of, beside those that give something, with their cut-offs; one without a
    cut-off gives chosen items only. `bounded`: agreed sums of the lines in `cut_offs` only.
    """

    run_id: UUID
    kind: str
    contract_id: UUID
    run_date: date
    cut_offs: Mapping[UUID, date]
    shown: Mapping[UUID, date | None]
    cut_off: date | None = None
    bounded: bool = False
    claim_id: UUID = field(kw_only=True)


def scheduled_run_id(contract_id: UUID, run_date: date) -> UUID:
    """The one run of a contract's scheduled work of a date: every line that is due joins it."""
    return derived_id("run", contract_id, run_date)


async def run_scheduled(
    session: AsyncSession, context: Context, contract_id: UUID, run_date: date, lines: Sequence[RunLine]
) -> RunOutcome:
    """Runs a contract's due lines of one date; later lines of the same date join the same run.

    Raises NotFound or Conflict (`contract_not_active`). The caller has seen to it that each line runs once.
    """
    return (await run_all_scheduled(session, context, run_date, {contract_id: lines}))[contract_id]


async def run_all_scheduled(
    session: AsyncSession, context: Context, run_date: date, lines: Mapping[UUID, Sequence[RunLine]]
) -> dict[UUID, RunOutcome]:
    """Runs the due lines of one date of up to 50 contracts together, as `run_scheduled` does those of one.

    The contracts' ready product lines, and their ready milestones dated up to the run date, are taken with them.
    """
    plans = []
    agreed = await queries.open_agreed_lines(session, list(lines))
    for contract_id, contract in (await lock_active(session, list(lines))).items():
        if run_date > today(context.clock, contract["time_zone"]):
            raise Conflict(f"the run date {run_date} has not come yet", reason="future_dated")
        cut_offs = {line.contract_line_id: line.cut_off for line in lines[contract_id]}
        run_id, shown = scheduled_run_id(contract_id, run_date), dict.fromkeys(agreed[contract_id], run_date) | cut_offs
        plans.append(Plan(run_id, "scheduled", contract_id, run_date, cut_offs, shown, claim_id=context.ids()))
    taken = await take(session, context, plans)
    return {
        one.contract_id: RunOutcome(
            one.run_id, one.claim_id if one.claim_id in taken else None, taken.get(one.claim_id, {})
        )
        for one in plans
    }


async def create_invoice(session: AsyncSession, context: Context, contract_id: UUID, body: CreateInvoiceIn) -> RunOut:
    """A manual run of one contract: everything ready and dated up to the cut-off, or only the named items."""
    run_id = context.once_id()
    contract = (await lock_active(session, [contract_id]))[contract_id]
    run_date, cut_off = _dates(context, contract, body.run_date, body.cut_off)
    plans = await _manual(session, context, [(run_id, contract_id, run_date, cut_off)])
    await take(session, context, plans, body.item_ids)
    found = await queries.run_by_id(session, run_id)
    if found is None:  # pragma: no cover - inserted above
        raise NotFound(f"no run {run_id}")
    return found


async def create_invoices(session: AsyncSession, context: Context, body: CreateInvoicesIn) -> JobOut:
    """Manual runs of many contracts, as a job: 50 contracts a transaction."""
    return await jobs.start(session, context, CreateInvoicesJob.name, body.model_dump(mode="json", exclude_none=True))


def _dates(
    context: Context, contract: Mapping[str, Any], run_date: date | None, cut_off: date | None
) -> tuple[date, date]:
    now = today(context.clock, contract["time_zone"])
    run = run_date or now
    if run > now:
        raise Invalid.field("/run_date", f"not in the future of the contract, whose day is {now}")
    # What lies in the future is never billed, whatever the cut-off says.
    return run, min(cut_off or run, now)


async def lock_active(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, Mapping[str, Any]]:
    """The contracts, locked FOR UPDATE; raises NotFound, and Conflict (`contract_not_active`)."""
    rows = {row["id"]: row for row in await lock_contracts(session, ids)}
    for contract_id in ids:
        if contract_id not in rows:
            raise NotFound(f"no contract {contract_id}")
        if rows[contract_id]["status"] != "active":
            raise Conflict(f"the contract is {rows[contract_id]['status']}", reason="contract_not_active")
    return rows


async def _manual(session: AsyncSession, context: Context, runs: Sequence[tuple[UUID, UUID, date, date]]) -> list[Plan]:
    lines = await queries.lines_of(session, [contract_id for _, contract_id, _, _ in runs])
    plans = []
    for run_id, contract_id, run_date, cut_off in runs:
        cut_offs = dict.fromkeys(lines[contract_id], cut_off)
        plan = Plan(run_id, "manual", contract_id, run_date, cut_offs, cut_offs, cut_off, claim_id=context.ids())
        plans.append(plan)
    return plans


async def take(
    session: AsyncSession, context: Context, plans: Sequence[Plan], item_ids: Sequence[UUID] | None = None
) -> dict[UUID, dict[UUID, Taken]]:
    """Claims and keeps the runs' own record; the contracts are locked. Returns what was taken, by claim and line."""
    requests = [
        ClaimRequest(
            one.claim_id, one.run_id, one.kind, one.run_date, one.contract_id, one.cut_offs,
            one.run_date if one.kind == "scheduled" and item_ids is None else None, one.bounded,
        )
        for one in plans
    ]  # fmt: skip
    taken = await claim(session, context, requests, item_ids)
    now = context.clock.now()
    await execute(
        session, INSERT_RUNS,
        [one.run_id for one in plans], [one.contract_id for one in plans], [one.run_date for one in plans],
        [one.cut_off for one in plans], ["claimed" if one.claim_id in taken else "skipped" for one in plans],
        list(range(len(plans))), plans[0].kind, item_ids is not None, now, context.actor,
    )  # fmt: skip
    await _keep_lines(session, context, plans, taken)
    return taken


async def _keep_lines(
    session: AsyncSession, context: Context, plans: Sequence[Plan], taken: Mapping[UUID, Mapping[UUID, Taken]]
) -> None:
    lines = [
        (one.run_id, one.contract_id, line, one.shown.get(line), taken.get(one.claim_id, {}).get(line))
        for one in plans
        for line in dict.fromkeys([*one.shown, *taken.get(one.claim_id, {})])
    ]
    bounded = [(run, contract, line, cut) for run, contract, line, cut, _ in lines if cut is not None]
    left = await queries.left_out_counts(session, context.clock.now(), bounded)
    await execute(
        session, INSERT_LINES,
        [run for run, *_ in lines], [line for _, _, line, _, _ in lines], [cut for *_, cut, _ in lines],
        [took.items if took else 0 for *_, took in lines], [took.amount if took else Decimal(0) for *_, took in lines],
        [json.dumps(left.get((run, line), {})) for run, _, line, _, _ in lines],
    )  # fmt: skip


async def fail_scheduled(
    session: AsyncSession, context: Context, contract_id: UUID, run_date: date, lines: Sequence[RunLine], reason: str
) -> UUID:
    """Leaves the scheduled run of a date failed, with the lines that it would have had, for somebody to retry.

    What other lines have claimed under it stays claimed. Returns the run's id; the caller holds the contract's lock.
    """
    run_id = scheduled_run_id(contract_id, run_date)
    await execute(session, FAIL, run_id, contract_id, run_date, reason, context.clock.now(), context.actor)
    shown = {line.contract_line_id: line.cut_off for line in lines}
    plan = Plan(run_id, "scheduled", contract_id, run_date, shown, shown, claim_id=context.ids())
    await _keep_lines(session, context, [plan], {})
    return run_id


class CreateInvoicesJob:
    """Bulk create-invoice. A contract's run has the UUIDv5 of (job, contract): a step repeated makes nothing twice."""

    name = "contracts.create-invoice"

    async def plan(self, session: AsyncSession, context: Context, job: Job) -> int:
        wanted = CreateInvoicesIn.model_validate(job.params)
        if wanted.filter is None:
            return await execute(session, PLAN_IDS, job.id, wanted.ids)
        return await execute(session, PLAN_FILTER, job.id, wanted.filter.customer_id, wanted.filter.external_id)

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        targets = await fetch(session, TARGETS, job.id, job.state.get("at", 0), context.limits.claim_contracts_max)
        counted = {name: job.state.get(name, 0) for name in ("claimed", "skipped")}
        if not targets:
            return Step(finished=True, result={**counted, "refused": job.refused})
        wanted = CreateInvoicesIn.model_validate(job.params)
        ids = [row["target_id"] for row in targets]
        rows = {row["id"]: row for row in await lock_contracts(session, ids)}
        problems, runs = [], []
        for contract_id in ids:
            problem = _problem(context, contract_id, rows.get(contract_id), wanted)
            if problem is not None:
                problems.append(problem)
                continue
            run_date, cut_off = _dates(context, rows[contract_id], wanted.run_date, wanted.cut_off)
            runs.append((derived_id(job.id, contract_id), contract_id, run_date, cut_off))
        taken = await take(session, context, await _manual(session, context, runs)) if runs else {}
        counted["claimed"] += len(taken)
        counted["skipped"] += len(runs) - len(taken)
        return Step(done=len(targets), problems=problems, state={"at": targets[-1]["n"], **counted})


def _problem(
    context: Context, contract_id: UUID, contract: Mapping[str, Any] | None, wanted: CreateInvoicesIn
) -> JobProblem | None:
    if contract is None:
        return JobProblem("not_found", "there is no such contract", target_id=contract_id)
    if contract["status"] != "active":
        return JobProblem("contract_not_active", f"the contract is {contract['status']}", target_id=contract_id)
    if wanted.run_date and wanted.run_date > today(context.clock, contract["time_zone"]):
        return JobProblem("future_dated", "the run date lies in the contract's future", target_id=contract_id)
    return None


JOBS = (CreateInvoicesJob(),)
