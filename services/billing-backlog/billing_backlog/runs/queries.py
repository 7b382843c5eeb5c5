"""Reads of runs, and the question why an item of a run's lines is not on it."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.runs.schemas import RunLineOut, RunOut, RunQuery
from proforma.db import fetch

# $1 now. One reason an item: the first that a biller would have to mend.
LEFT_OUT_REASON = """case
  when i.billing_status = 'on_invoice' then 'on_invoice'
  when i.amount is null then 'no_price'
  when i.billing_status = 'unbilled' then 'not_ready'
  when i.date > ($1::timestamptz at time zone c.time_zone)::date then 'future_dated'
  when i.date < t.billing_start then 'before_billing_start'
  when i.date > c.end_date then 'after_contract_end'
  when i.date > l.cut_off then 'after_cut_off'
  else 'not_ready' end"""

COUNTS = f"""
with l as (
  select * from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::date[]) l (run_id, contract_id, line_id, cut_off))
select l.run_id, l.line_id, {LEFT_OUT_REASON} as reason, count(*)::int as n
from l join contracts c on c.id = l.contract_id
join contract_lines t on t.id = l.line_id
join items i on i.contract_id = l.contract_id and i.contract_line_id = l.line_id
left join claims k on k.id = i.claim_id
where k.run_id is distinct from l.run_id
group by 1, 2, 3
"""
ITEMS = f"""
select i.id as item_id, i.contract_line_id, i.entry_id, i.date, i.amount, {LEFT_OUT_REASON} as reason, k.invoice_id
from run_lines l join runs r on r.id = l.run_id join contracts c on c.id = r.contract_id
join contract_lines t on t.id = l.contract_line_id
join items i on i.contract_id = r.contract_id and i.contract_line_id = l.contract_line_id
left join claims k on k.id = i.claim_id
where l.run_id = $2 and k.run_id is distinct from l.run_id and ($3::uuid is null or i.id > $3)
  and ($4::text is null or {LEFT_OUT_REASON} = $4)
order by i.id limit $5
"""
RUNS = """
select * from runs where ($1::uuid is null or id > $1) and ($2::uuid is null or contract_id = $2)
  and ($3::text is null or kind = $3) and ($4::text is null or status = $4) and ($5::date is null or run_date = $5)
order by id limit $6
"""
RUN_LINES = "select * from run_lines where run_id = any($1::uuid[]) order by contract_line_id"
CLAIMS = "select * from claims where run_id = any($1::uuid[]) order by id"


async def runs_page(session: AsyncSession, wanted: RunQuery, after: UUID | None, limit: int) -> list[RunOut]:
    """Up to `limit` runs after `after`, sorted by id, with their lines and claims."""
    rows = await fetch(session, RUNS, after, wanted.contract_id, wanted.kind, wanted.status, wanted.run_date, limit)
    return await shown(session, rows)


async def run_by_id(session: AsyncSession, run_id: UUID) -> RunOut | None:
    """One run, or None."""
    found = await shown(session, await fetch(session, "select * from runs where id = $1", run_id))
    return found[0] if found else None


async def shown(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> list[RunOut]:
    """Runs as the API shows them, in three statements however many they are."""
    ids = [row["id"] for row in rows]
    lines: dict[UUID, list[RunLineOut]] = defaultdict(list)
    for line in await fetch(session, RUN_LINES, ids):
        lines[line["run_id"]].append(RunLineOut.model_validate({**line, "left_out": json.loads(line["left_out"])}))
    claims: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for claim in await fetch(session, CLAIMS, ids):
        state = {"drafted": claim["status"] == "drafted", "released": claim["status"] == "released"}
        claims[claim["run_id"]].append({**claim, **state})
    return [RunOut.model_validate({**row, "lines": lines[row["id"]], "claims": claims[row["id"]]}) for row in rows]


async def left_out_counts(
    session: AsyncSession, now: datetime, lines: Sequence[tuple[UUID, UUID, UUID, object]]
) -> dict[tuple[UUID, UUID], dict[str, int]]:
    """By (run, line): how many open items are not on the run, by reason. `lines`: (run, contract, line, cut-off)."""
    if not lines:
        return {}
    counts: dict[tuple[UUID, UUID], dict[str, int]] = defaultdict(dict)
    for row in await fetch(session, COUNTS, now, *(list(column) for column in zip(*lines, strict=True))):
        counts[row["run_id"], row["line_id"]][row["reason"]] = row["n"]
    return dict(counts)
