"""Moving approved work to where lines and rates now put it, as far as no invoice has it."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.contracts.queries import get_contract, lock_contracts
from billing_backlog.entries.queries import SEEN
from billing_backlog.entries.service import Outcome, new_actual, outcomes
from billing_backlog.ledger import service as ledger
from billing_backlog.reevaluation import queries
from billing_backlog.reevaluation.queries import standing_of
from billing_backlog.reevaluation.rules import Change, Posted, change_of
from billing_backlog.reevaluation.schemas import ContractFilter, ExampleOut, PreviewOut, ReevaluateIn, RowOut
from billing_backlog.withdrawals.rules import Hold, held
from billing_backlog.withdrawals.service import take_back
from proforma import jobs
from proforma.bodies import JobOut
from proforma.clock import derived_id
from proforma.context import Context
from proforma.db import execute, fetch, fetch_value, lock_keys
from proforma.errors import Conflict
from proforma.events.time_expense import ApprovedEntry
from proforma.jobs import Job, JobProblem, Step

PREVIEW_MAX = 10_000
STEP = 1_000
EXAMPLES_MAX = 100


@dataclass(frozen=True, slots=True)
class Planned:
    """One entry that has to change, and what keeps it from changing, if anything does."""

    outcome: Outcome
    change: Change
    hold: Hold | None


@dataclass(slots=True)
class Tally:
    """What was found, entry by entry."""

    changed: int = 0
    unchanged: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    refused: list[Planned] = field(default_factory=list)


async def start_for(session: AsyncSession, context: Context, contract_ids: Collection[UUID]) -> JobOut | None:
    """Queues the re-evaluation of these contracts' projects, in this transaction; None where nothing is approved yet.

    Activating and editing lines call it: the change is made at once, the work follows as a job (design §5.6).
    """
    ids = [str(one) for one in sorted(contract_ids)]
    if not await fetch_value(session, queries.ANY_ENTRY, [UUID(one) for one in ids], None, None):
        return None
    return await _start(session, context, {"ids": ids})


async def reevaluate(session: AsyncSession, context: Context, contract_id: UUID) -> JobOut:
    """Starts it for one contract; raises NotFound, and Conflict where it is not active."""
    await _active(session, contract_id)
    return await _start(session, context, {"ids": [str(contract_id)]})


async def reevaluate_many(session: AsyncSession, context: Context, body: ReevaluateIn) -> JobOut:
    """Starts it for many contracts; those that are not active become problems of the job."""
    return await _start(session, context, body.model_dump(mode="json", exclude_none=True))


async def preview(session: AsyncSession, contract_ids: Collection[UUID]) -> PreviewOut:
    """What re-evaluating these contracts would do, as everything stands in this transaction; nothing is kept."""
    return await _preview(session, ReevaluateIn(ids=sorted(contract_ids)))


async def preview_of(session: AsyncSession, contract_ids: Collection[UUID], edit: Awaitable[object]) -> PreviewOut:
    """The same as if `edit` had been made: it is made, looked at and undone. Raises what the edit raises."""
    savepoint = await session.begin_nested()
    await edit
    found = await preview(session, contract_ids)
    await savepoint.rollback()
    return found


async def preview_one(session: AsyncSession, contract_id: UUID) -> PreviewOut:
    """The same for one contract; raises NotFound, and Conflict where it is not active."""
    await _active(session, contract_id)
    return await preview(session, [contract_id])


async def preview_many(session: AsyncSession, body: ReevaluateIn) -> PreviewOut:
    """The same for many."""
    return await _preview(session, body)


async def _active(session: AsyncSession, contract_id: UUID) -> None:
    status = (await get_contract(session, contract_id)).status
    if status != "active":
        raise Conflict(f"contract {contract_id} is {status}", "contract_not_active", state=status, allowed=["active"])


async def _start(session: AsyncSession, context: Context, params: Mapping[str, Any]) -> JobOut:
    # Its own id under the caller's key: what the call makes besides, such as a line, may have the key's id.
    job_id = derived_id("re-evaluate", context.once_id())
    return await jobs.start(session, context, ReevaluationJob.name, params, job_id)


def _which(body: ReevaluateIn) -> tuple[list[UUID] | None, UUID | None, str | None]:
    wanted = body.filter or ContractFilter()
    return body.ids, wanted.customer_id, wanted.external_id


async def _preview(session: AsyncSession, body: ReevaluateIn) -> PreviewOut:
    rows = await fetch(session, queries.ENTRIES, *_which(body), PREVIEW_MAX)
    tally, examples = Tally(), list[Planned]()
    ids = [row["entry_id"] for row in rows]
    for at in range(0, len(ids), STEP):
        part, told = ids[at : at + STEP], len(tally.refused)
        made = await _plan(session, part, await standing_of(session, part), tally)
        examples += [*made, *tally.refused[told:]][: EXAMPLES_MAX - len(examples)]
    return PreviewOut(
        entries=rows[0]["entries"] if rows else 0, examined=len(ids), changed=tally.changed,
        unchanged=tally.unchanged, refused=len(tally.refused), kinds=dict(tally.kinds),
        examples=[_example(one) for one in examples],
    )  # fmt: skip


async def apply(session: AsyncSession, context: Context, entry_ids: Sequence[UUID]) -> Tally:
    """Re-evaluates these entries, 1,000 at most.

    Locks the projects exclusively, the entries, then the contracts that have their work, and looks again behind that.
    An entry that went to another project meanwhile was approved under that one's lines: it is left alone.
    """
    projects = {row["project"] for row in await fetch(session, queries.PROJECTS, list(entry_ids))}
    await lock_keys(session, "project", projects)
    seen = await fetch(session, SEEN, list(entry_ids))
    ids = [row["entry_id"] for row in seen if row["project"] in projects]
    before = await standing_of(session, ids)
    await lock_contracts(session, {row.contract_id for rows in before.values() for row in rows if row.contract_id})
    tally = Tally()
    made = await _plan(session, ids, await standing_of(session, ids), tally)
    await _make(session, context, made)
    return tally


async def _plan(
    session: AsyncSession, ids: Sequence[UUID], standing: Mapping[UUID, Sequence[Posted]], tally: Tally
) -> list[Planned]:
    """What has to change and can; what cannot is in the tally, with what keeps it."""
    rows = await fetch(session, queries.CONTENTS, list(ids))
    entries = [ApprovedEntry.model_validate_json(row["content"]) for row in rows]
    made = []
    for one in await outcomes(session, entries):
        old = standing.get(one.entry.id, ())
        change = change_of(old, one.line, one.rows, one.sales)
        if change is None:
            tally.unchanged += 1
            continue
        planned = Planned(one, change, held(old))
        if planned.hold is not None:
            tally.refused.append(planned)
            continue
        tally.changed += 1
        tally.kinds[change.kind] += 1
        made.append(planned)
    return made


async def _make(session: AsyncSession, context: Context, planned: Sequence[Planned]) -> None:
    by_cause: dict[str, list[Posted]] = defaultdict(list)
    for one in planned:
        by_cause[one.change.cause].extend(one.change.old)
    reversals = [row for cause, rows in by_cause.items() for row in await take_back(session, context, rows, cause)]
    today = context.clock.now().date()
    new = [
        new_actual(context, one.outcome, row, one.change.cause, today, replaces)
        for one in planned
        for row, replaces in one.change.replaced()
    ]
    known = [one.outcome.rows[0].price is not None for one in planned]
    await execute(session, queries.HAS_COST_PRICE, [one.outcome.entry.id for one in planned], known)
    await ledger.tell(session, context, reversals)
    await ledger.post(session, context, new)


def _example(one: Planned) -> ExampleOut:
    line_id = one.outcome.line.id if one.outcome.line else None
    return ExampleOut.model_validate(
        {
            "entry_id": one.outcome.entry.id, "kind": one.change.kind,
            "refused": one.hold.reason if one.hold else None, "invoice_id": one.hold.invoice_id if one.hold else None,
            "before": [RowOut.model_validate(row) for row in one.change.old],
            "after": [RowOut.model_validate({**_figures(row), "contract_line_id": line_id}) for row in one.change.new],
        }
    )  # fmt: skip


def _figures(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("type", "billing_type", "quantity", "price", "amount", "currency")}


class ReevaluationJob:
    """The entries are fixed in the first step and worked on 1,000 at a time. A second run changes nothing.

    The result: {"changed", "unchanged", "refused", "kinds": {...}}; what an invoice has is a problem, with it.
    """

    name = "contracts.re-evaluate"

    async def plan(self, session: AsyncSession, context: Context, job: Job) -> int:
        return await execute(session, queries.TARGETS, *_which(ReevaluateIn.model_validate(job.params)), job.id)

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        at = job.state.get("at", 0)
        problems = await self._not_active(session, job) if at == 0 else []
        counts = {name: job.state.get(name, 0) for name in ("changed", "unchanged")}
        kinds = Counter(job.state.get("kinds", {}))
        rows = await fetch(session, queries.NEXT_TARGETS, job.id, at, context.limits.job_step_max)
        if not rows:
            refused = job.refused + len(problems)
            return Step(problems=problems, finished=True, result={**counts, "refused": refused, "kinds": kinds})
        tally = await apply(session, context, [row["target_id"] for row in rows])
        problems += [
            JobProblem(one.hold.reason, f"the work {one.hold} and stays there", target_id=one.outcome.entry.id)
            for one in tally.refused
            if one.hold is not None
        ]
        state = {
            "at": rows[-1]["n"],
            "changed": counts["changed"] + tally.changed,
            "unchanged": counts["unchanged"] + tally.unchanged,
            "kinds": kinds + tally.kinds,
        }
        return Step(done=len(rows), problems=problems, state=state)

    async def _not_active(self, session: AsyncSession, job: Job) -> list[JobProblem]:
        ids = ReevaluateIn.model_validate(job.params).ids or []
        return [
            JobProblem(
                "contract_not_active" if row["status"] else "not_found",
                f"the contract is {row['status']}" if row["status"] else "there is no such contract",
                target_id=row["id"],
            )
            for row in await fetch(session, queries.NOT_ACTIVE, ids)
        ]


JOBS = (ReevaluationJob(),)
