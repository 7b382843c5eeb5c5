"""Reads of runs, and the question why an item of a run's lines is not on it."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.agreed_items.queries import ADDS_UP
from billing_backlog.runs.schemas import RunClaimOut, RunLineOut, RunOut, RunQuery
from proforma.db import fetch

# $1 now. One reason an item: the first that a biller would have to mend. `w` is the run's line, `l` the contract's.
LEFT_OUT_REASON = f"""case
  when i.billing_status = 'on_invoice' then 'on_invoice'
  when i.amount is null then coalesce(i.unpriced, 'no_price')
  when i.source = 'milestone' and not ({ADDS_UP}) then 'milestones_do_not_add_up'
  when i.billing_status = 'unbilled' then 'not_ready'
  when i.source = 'product' or (i.source = 'milestone' and (r.kind = 'manual' or i.date <= r.run_date)) then 'not_ready'
  when i.date > ($1::timestamptz at time zone c.time_zone)::date then 'future_dated'
  when i.source = 'milestone' then 'after_cut_off'
  when i.date < l.billing_start then 'before_billing_start'
  when i.date > c.end_date then 'after_contract_end'
  when i.date > w.cut_off then 'after_cut_off'
  else 'not_ready' end"""

# What a run is by what it has: of a line that came later, a further claim, a retry.
BY_CLAIMS = "case when exists (select from claims k where k.run_id = runs.id) then 'claimed' else 'skipped' end"
# As long as a row of its date is failed, whatever its other lines do: only a retry, or another row, mends that.
STILL_FAILED = """(runs.status = 'failed' and exists (
  select from invoice_schedules s join schedule_rows r on r.schedule_id = s.id
  where s.contract_id = runs.contract_id and r.run_date = runs.run_date and r.status = 'failed'))"""

COUNTS = f"""
with w as (
  select * from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::date[]) w (run_id, contract_id, line_id, cut_off))
select w.run_id, w.line_id, {LEFT_OUT_REASON} as reason, count(*)::int as n
from w join runs r on r.id = w.run_id
join contracts c on c.id = w.contract_id
join contract_lines l on l.id = w.line_id
join items i on i.contract_id = w.contract_id and i.contract_line_id = w.line_id
left join claims k on k.id = i.claim_id
where k.run_id is distinct from w.run_id
group by 1, 2, 3
"""
ITEMS = f"""
select i.id as item_id, i.contract_line_id, i.entry_id, i.date, i.amount, {LEFT_OUT_REASON} as reason, k.invoice_id
from run_lines w join runs r on r.id = w.run_id join contracts c on c.id = r.contract_id
join contract_lines l on l.id = w.contract_line_id
join items i on i.contract_id = r.contract_id and i.contract_line_id = w.contract_line_id
left join claims k on k.id = i.claim_id
where w.run_id = $2 and w.cut_off is not null and k.run_id is distinct from w.run_id
  and ($3::uuid is null or i.id > $3) and ($4::text is null or {LEFT_OUT_REASON} = $4)
order by i.id limit $5
"""
# What of a contract's agreed sums is open: a run shows those lines, whether it takes anything of them or not.
AGREED_LINES = """
select l.id, l.contract_id from contract_lines l
where l.contract_id = any($1::uuid[]) and (
  (l.kind = 'product' and exists (select from items i where i.id = l.id))
  or (l.billing_method = 'fixed_price'
      and exists (select from milestones m join items i on i.id = m.id where m.contract_line_id = l.id)))
order by l.id
"""
LINES_OF = """
select l.id, l.contract_id from contract_lines l
where l.contract_id = any($1::uuid[]) and (l.kind = 'project' or exists (select from items i where i.id = l.id))
order by l.id
"""
_SHOWN = "select r.*, c.currency from runs r join contracts c on c.id = r.contract_id"
RUNS = f"""
{_SHOWN} where ($1::uuid is null or r.id > $1) and ($2::uuid is null or r.contract_id = $2)
  and ($3::text is null or r.kind = $3) and ($4::text is null or r.status = $4)
  and ($5::date is null or r.run_date = $5)
order by r.id limit $6
"""
RUN = f"{_SHOWN} where r.id = $1"
RUN_LINES = "select * from run_lines where run_id = any($1::uuid[]) order by contract_line_id"
CLAIMS = "select * from claims where run_id = any($1::uuid[]) order by id"


async def runs_page(session: AsyncSession, wanted: RunQuery, after: UUID | None, limit: int) -> list[RunOut]:
    """Up to `limit` runs after `after`, sorted by id, with their lines and claims."""
    rows = await fetch(session, RUNS, after, wanted.contract_id, wanted.kind, wanted.status, wanted.run_date, limit)
    return await shown(session, rows)


async def run_by_id(session: AsyncSession, run_id: UUID) -> RunOut | None:
    """One run, or None."""
    found = await shown(session, await fetch(session, RUN, run_id))
    return found[0] if found else None


async def shown(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> list[RunOut]:
    """Runs as the API shows them, in three statements however many they are."""
    ids = [row["id"] for row in rows]
    lines: dict[UUID, list[RunLineOut]] = defaultdict(list)
    for line in await fetch(session, RUN_LINES, ids):
        lines[line["run_id"]].append(RunLineOut.model_validate({**line, "left_out": json.loads(line["left_out"])}))
    claims: dict[UUID, list[RunClaimOut]] = defaultdict(list)
    for claim in await fetch(session, CLAIMS, ids):
        state = {"drafted": claim["status"] == "drafted", "released": claim["status"] == "released"}
        claims[claim["run_id"]].append(RunClaimOut.model_validate({**claim, **state}))
    return [_shown(row, lines[row["id"]], claims[row["id"]]) for row in rows]


def _shown(row: Mapping[str, Any], lines: Sequence[RunLineOut], claims: Sequence[RunClaimOut]) -> RunOut:
    held = [claim for claim in claims if not claim.released]
    totals = {
        "items": sum(claim.items for claim in held),
        "amount": sum((claim.amount for claim in held), Decimal(0)),
    }
    return RunOut.model_validate({**row, **totals, "lines": lines, "claims": claims})


async def left_out_counts(
    session: AsyncSession, now: datetime, lines: Sequence[tuple[UUID, UUID, UUID, date]]
) -> dict[tuple[UUID, UUID], dict[str, int]]:
    """By (run, line): how many open items are not on the run, by reason. `lines`: (run, contract, line, cut-off)."""
    if not lines:
        return {}
    counts: dict[tuple[UUID, UUID], dict[str, int]] = defaultdict(dict)
    for row in await fetch(session, COUNTS, now, *(list(column) for column in zip(*lines, strict=True))):
        counts[row["run_id"], row["line_id"]][row["reason"]] = row["n"]
    return dict(counts)


async def open_agreed_lines(session: AsyncSession, contract_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """By contract: its lines with open milestones, and its open product lines."""
    found: dict[UUID, list[UUID]] = {contract_id: [] for contract_id in contract_ids}
    for row in await fetch(session, AGREED_LINES, list(found)):
        found[row["contract_id"]].append(row["id"])
    return found


async def lines_of(session: AsyncSession, contract_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """By contract: its lines of projects, and its open product lines."""
    found: dict[UUID, list[UUID]] = {contract_id: [] for contract_id in contract_ids}
    for row in await fetch(session, LINES_OF, list(found)):
        found[row["contract_id"]].append(row["id"])
    return found
