"""Setting the billing type of open items: the old row is reversed, a new item, not ready, takes its place."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.backlog.queries import fix_targets, matching
from billing_backlog.backlog.service import NEXT_TARGETS, STATES
from billing_backlog.billing_types import queries
from billing_backlog.billing_types.rules import refusal, tax_of
from billing_backlog.billing_types.schemas import SetBillingTypeIn
from billing_backlog.contracts.queries import lock_contracts
from billing_backlog.ledger import service as ledger
from billing_backlog.ledger.service import NewActual
from proforma import jobs
from proforma.bodies import BulkResult, JobOut, Refusal
from proforma.context import Context
from proforma.db import execute, fetch
from proforma.jobs import Job, JobProblem, Step

CAUSE = "set-billing-type"
SOURCE = "backlog"
_COPIED = (
    "type", "date", "quantity", "unit", "price", "amount", "currency", "rate_id", "exchange_rate_id", "project", "task",
    "resource", "role", "category", "product", "description", "external_description", "contract_id",
    "contract_line_id", "entry_id", "entry_revision", "journal_line_id", "unpriced", "has_cost_price",
)  # fmt: skip


async def set_billing_type(
    session: AsyncSession, context: Context, ids: Sequence[UUID], billing_type: str
) -> BulkResult:
    """Sets it on these items; names each that it refuses, with the reason and the invoice that has it.

    The contracts are locked first and the items looked at by a statement begun after that (design §5.5).
    """
    wanted = list(dict.fromkeys(ids))
    await lock_contracts(session, [row["contract_id"] for row in await fetch(session, queries.CONTRACTS, wanted)])
    unchanged, refused, changed = 0, [], []
    for row in await fetch(session, STATES, wanted, "backlog"):
        why = refusal(row["billing_status"])
        if why is not None:
            refused.append(Refusal(id=row["id"], reason=why[0], detail=why[1] + _where(row)))
        elif row["billing_type"] == billing_type:
            unchanged += 1
        else:
            changed.append(row["id"])
    await _replace(session, context, changed, billing_type)
    return BulkResult(changed=len(changed), unchanged=unchanged, refused=refused)


async def _replace(session: AsyncSession, context: Context, ids: Sequence[UUID], billing_type: str) -> None:
    old = await fetch(session, queries.ITEMS, list(ids))
    reversals = await ledger.reverse(session, context, ids, CAUSE)
    await execute(session, queries.DROP, list(ids))
    await ledger.tell(session, context, reversals)
    await ledger.post(session, context, [_new(context, row, billing_type) for row in old])


def _new(context: Context, old: Mapping[str, Any], billing_type: str) -> NewActual:
    return NewActual(
        id=context.ids(), item_class=old["class"], billing_type=billing_type, cause=CAUSE,
        accounting_date=context.clock.now().date(), billing_status="unbilled", replaces=old["id"],
        tax=tax_of(billing_type, old["amount"], old["item_tax"]), **{name: old[name] for name in _COPIED},
    )  # fmt: skip


def _where(row: Mapping[str, Any]) -> str:
    return f" (invoice {row['invoice_id']})" if row["invoice_id"] else ""


async def bulk(session: AsyncSession, context: Context, body: SetBillingTypeIn) -> BulkResult | JobOut:
    """The bulk call: done at once up to 1,000 items, as a job above."""
    if body.filter is None:
        return await set_billing_type(session, context, body.ids or [], body.billing_type)
    most = context.limits.batch_max
    ids = await matching(session, context.clock, SOURCE, body.filter, most + 1)
    if len(ids) <= most:
        return await set_billing_type(session, context, ids, body.billing_type)
    params = body.model_dump(mode="json", by_alias=True, exclude_none=True)
    return await jobs.start(session, context, SetBillingTypeJob.name, params)


class SetBillingTypeJob:
    """The verb over more than 1,000 items: they are fixed in the first step, replaced 1,000 at a time."""

    name = "backlog.set-billing-type"

    async def plan(self, session: AsyncSession, context: Context, job: Job) -> int:
        body = SetBillingTypeIn.model_validate(job.params)
        if body.filter is None:  # pragma: no cover - only a filter makes a job
            raise ValueError("no filter")
        return await fix_targets(session, context.clock, job.id, SOURCE, body.filter)

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        counts = {name: job.state.get(name, 0) for name in ("changed", "unchanged")}
        rows = await fetch(session, NEXT_TARGETS, job.id, job.state.get("at", 0), context.limits.job_step_max)
        if not rows:
            return Step(finished=True, result=counts)
        ids = [row["target_id"] for row in rows]
        result = await set_billing_type(session, context, ids, job.params["billing_type"])
        problems = [JobProblem(one.reason, one.detail, target_id=one.id) for one in result.refused]
        state = {
            "at": rows[-1]["n"],
            "changed": counts["changed"] + result.changed,
            "unchanged": counts["unchanged"] + result.unchanged,
        }
        return Step(done=len(rows), problems=problems, state=state)


JOBS = (SetBillingTypeJob(),)
