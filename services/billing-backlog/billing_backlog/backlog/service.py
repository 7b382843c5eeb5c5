"""Moving items between unbilled and ready, one by one or by the thousand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.agreed_items.queries import ADDS_UP, BILLED, STATUS
from billing_backlog.backlog import queries
from billing_backlog.backlog.schemas import BulkIn
from billing_backlog.contracts.queries import lock_contracts
from proforma import jobs
from proforma.bodies import BulkResult, JobOut, Refusal
from proforma.context import Context
from proforma.db import fetch
from proforma.jobs import Job, JobProblem, Step
from proforma.sums import Sums

AMOUNT = Gauge(
    "proforma_backlog_amount", "Chargeable amounts of open items, without tax and without those that have no price",
    ["currency", "billing_status"],
)  # fmt: skip
UNPRICED = Gauge("proforma_backlog_unpriced_items", "Open chargeable items without a price", ["billing_status"])

CONTRACTS = "select distinct contract_id from items where id = any($1::uuid[]) and contract_id is not null"
MOVE = f"""
update items i set billing_status = $2, changed_by = $4, changed_at = $5
where id = any($1::uuid[]) and billing_status = $3 and amount is not null and source = $6
  and (source <> 'milestone' or $2 <> 'ready'
       or exists (select from contract_lines l where l.id = i.contract_line_id and {ADDS_UP}))
returning id
"""
# What of each there is, open or in the ledger. Looked up one by one: the answer is short, and the ledger is long.
STATES = """
select w.id, true as adds_up, coalesce(i.billing_status, a.billing_status) as billing_status, i.billing_type,
       coalesce(i.amount, a.amount) is null as unpriced, i.unpriced as why_unpriced,
       coalesce(i.invoice_id, a.invoice_id) as invoice_id
from unnest($1::uuid[]) with ordinality w (id, n)
left join lateral (
  select i.*, k.invoice_id from items i left join claims k on k.id = i.claim_id
  where i.id = w.id and i.source = $2 offset 0) i on true
left join lateral (
  select a.billing_status, a.amount, r.invoice_id from actuals a left join actuals r on r.reverses = a.id
  where a.id = w.id and a.type = 'unbilled_sales' and a.reverses is null offset 0) a on true
order by w.n
"""
AGREED_STATES = f"""
select w.id, case when l.id is not null then {STATUS} end as billing_status, false as unpriced,
       coalesce(k.invoice_id, b.invoice_id) as invoice_id, l.kind = 'product' or {ADDS_UP} as adds_up
from unnest($1::uuid[]) with ordinality w (id, n)
left join items i on i.id = w.id and i.source = $2
left join claims k on k.id = i.claim_id
left join milestones m on m.id = w.id and $2 = 'milestone'
left join contract_lines l
  on l.id = m.contract_line_id or (l.id = w.id and l.kind = 'product' and $2 = 'product')
{BILLED.format(id="w.id")}
order by w.n
"""
NEXT_TARGETS = "select n, target_id from job_targets where job_id = $1 and n > $2 order by n limit $3"


@dataclass(frozen=True, slots=True)
class Move:
    """A status verb: from which status to which, of items of one source, as a job under the name `kind`."""

    verb: str
    from_status: str
    to_status: str
    source: str = "backlog"
    noun: str = "backlog"

    @property
    def kind(self) -> str:
        return f"{self.noun}.{self.verb}"


READY = Move("mark-ready", "unbilled", "ready")
UNREADY = Move("unmark-ready", "ready", "unbilled")


async def move(session: AsyncSession, context: Context, ids: Sequence[UUID], verb: Move) -> BulkResult:
    """Moves these items; names each that it refuses, with the reason.

    The contracts are locked first and the items are chosen by a statement begun after that: a claim that runs at
    the same time has then either taken an item or will find it moved (design §5.5).
    """
    wanted = list(dict.fromkeys(ids))
    contracts = [row["contract_id"] for row in await fetch(session, CONTRACTS, wanted)]
    await lock_contracts(session, contracts)
    now = context.clock.now()
    moved = await fetch(session, MOVE, wanted, verb.to_status, verb.from_status, context.actor, now, verb.source)
    changed = {row["id"] for row in moved}
    rest = [item_id for item_id in wanted if item_id not in changed]
    unchanged, refused = 0, []
    states = STATES if verb.source == "backlog" else AGREED_STATES
    for row in await fetch(session, states, rest, verb.source):
        if row["billing_status"] == verb.to_status:
            unchanged += 1
        else:
            refused.append(_refusal(row, verb))
    return BulkResult(changed=len(changed), unchanged=unchanged, refused=refused)


def _refusal(row: Mapping[str, Any], verb: Move) -> Refusal:
    item_id, status = row["id"], row["billing_status"]
    where = f" (invoice {row['invoice_id']})" if row["invoice_id"] else ""
    if status is None:
        return Refusal(id=item_id, reason="not_found", detail="there is no such item")
    if status == "cost_only":
        return Refusal(id=item_id, reason="no_contract_line", detail="no contract line takes this work")
    if status == verb.from_status and row["unpriced"]:
        why = row.get("why_unpriced") or "no_price"
        return Refusal(id=item_id, reason=why, detail="it has no price: what has none cannot become ready")
    if status == verb.from_status and not row["adds_up"]:
        detail = "the milestones of its line must add up to the contracted amount first"
        return Refusal(id=item_id, reason="milestones_do_not_add_up", detail=detail)
    reason = status if status in ("on_invoice", "posted", "canceled") else "wrong_state"
    return Refusal(
        id=item_id, reason=reason, detail=f"the item is {status}{where}, {verb.verb} takes {verb.from_status}"
    )


async def bulk(session: AsyncSession, context: Context, body: BulkIn, verb: Move) -> BulkResult | JobOut:
    """The bulk call: done at once up to 1,000 things, as a job above."""
    if body.ids is not None:
        return await move(session, context, body.ids, verb)
    if body.filter is None:  # pragma: no cover - the schema wants one of both
        raise ValueError("either ids or filter")
    most = context.limits.batch_max
    ids = await queries.matching(session, context.clock, verb.source, body.filter, most + 1)
    if len(ids) <= most:
        return await move(session, context, ids, verb)
    params = {"filter": body.filter.model_dump(mode="json", by_alias=True, exclude_none=True)}
    return await jobs.start(session, context, verb.kind, params)


class MoveJob:
    """A status verb over more than 1,000 items: the items are fixed in the first step, moved 1,000 at a time."""

    def __init__(self, verb: Move) -> None:
        self._verb = verb
        self.name = verb.kind

    async def plan(self, session: AsyncSession, context: Context, job: Job) -> int:
        body = BulkIn.model_validate({"filter": job.params["filter"]})
        if body.filter is None:  # pragma: no cover - the schema wants one of both
            raise ValueError("no filter")
        return await queries.fix_targets(session, context.clock, job.id, self._verb.source, body.filter)

    async def step(self, session: AsyncSession, context: Context, job: Job) -> Step:
        at = job.state.get("at", 0)
        rows = await fetch(session, NEXT_TARGETS, job.id, at, context.limits.job_step_max)
        if not rows:
            unchanged = job.state.get("unchanged", 0)
            return Step(finished=True, result={"changed": job.state.get("changed", 0), "unchanged": unchanged})
        result = await move(session, context, [row["target_id"] for row in rows], self._verb)
        state = {
            "at": rows[-1]["n"],
            "changed": job.state.get("changed", 0) + result.changed,
            "unchanged": job.state.get("unchanged", 0) + result.unchanged,
        }
        problems = [JobProblem(one.reason, one.detail, target_id=one.id) for one in result.refused]
        return Step(done=len(rows), problems=problems, state=state)


JOBS = (MoveJob(READY), MoveJob(UNREADY))


async def measure(session: AsyncSession) -> None:
    """Sets the gauges of what is open, by status and currency; inexact only as a gauge's own number is."""
    rows = await fetch(session, queries.SUMMED)
    AMOUNT.clear()
    UNPRICED.clear()
    for row in rows:
        if row["amount"] is not None:
            AMOUNT.labels(row["currency"], row["billing_status"]).set(row["amount"])
    for status in {row["billing_status"] for row in rows}:
        UNPRICED.labels(status).set(sum(row["unpriced"] for row in rows if row["billing_status"] == status))


SUMS = Sums((AMOUNT, UNPRICED), measure)
