"""Runs by day: one row for each run date, with its totals."""

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.run_days.schemas import DayAmountOut, RunDayFilter, RunDayOut, RunDayQuery
from proforma.db import fetch
from proforma.errors import Invalid
from proforma.pages import decode

_OF = "($1::uuid is null or r.contract_id = $1) and ($2::text is null or r.kind = $2)"

# From one day to the one before it, each found by the index: the runs of a day may be many.
DAYS = f"""
with recursive days as (
  select (select r.run_date from runs r where {_OF} and ($3::date is null or r.run_date <= $3)
            and ($5::date is null or r.run_date < $5) order by r.run_date desc limit 1) as day, 1 as n
  union all
  select (select r.run_date from runs r where {_OF} and r.run_date < days.day order by r.run_date desc limit 1), n + 1
  from days where days.day is not null and n < $6)
select day from days where day >= coalesce($4::date, '-infinity') order by day desc
"""
RUNS = f"""
select r.run_date as day, count(*)::int as runs, count(distinct r.contract_id)::int as contracts,
       count(*) filter (where r.status = 'claimed')::int as claimed,
       count(*) filter (where r.status = 'skipped')::int as skipped,
       count(*) filter (where r.status = 'failed')::int as failed
from runs r where {_OF} and r.run_date = any($3::date[]) group by 1
"""
AMOUNTS = f"""
select r.run_date as day, c.currency, sum(k.items)::int as items, sum(k.amount) as amount,
       count(distinct k.invoice_id)::int as invoices
from runs r join contracts c on c.id = r.contract_id join claims k on k.run_id = r.id
where {_OF} and r.run_date = any($3::date[]) and k.status <> 'released' group by 1, 2 order by 1, 2
"""
LEFT_OUT = f"""
select r.run_date as day, left_out.key as reason, sum(left_out.value::int)::int as n
from runs r join run_lines l on l.run_id = r.id cross join lateral json_each_text(l.left_out::json) left_out
where {_OF} and r.run_date = any($3::date[]) group by 1, 2 order by 1, 2
"""


async def page(session: AsyncSession, wanted: RunDayQuery) -> list[RunDayOut]:
    """limit + 1 days on which something ran, the newest first."""
    before = _before(wanted.after)
    found = await fetch(
        session, DAYS, wanted.contract_id, wanted.kind, wanted.date_to, wanted.date_from, before, wanted.limit + 1
    )
    return await shown(session, wanted, [row["day"] for row in found])


def _before(cursor: str | None) -> datetime.date | None:
    if cursor is None:
        return None
    try:
        return datetime.date.fromisoformat(decode(cursor, 1)[0])
    except ValueError as error:
        raise Invalid.field("/query/after", "not a cursor of this list") from error


async def shown(session: AsyncSession, of: RunDayFilter, days: Sequence[datetime.date]) -> list[RunDayOut]:
    """These days with their totals, in three statements however many they are; a day without runs has zeros."""
    asked = (of.contract_id, of.kind, list(days))
    runs = {row["day"]: dict(row) for row in await fetch(session, RUNS, *asked)}
    amounts: Mapping[datetime.date, list[Mapping[str, Any]]] = defaultdict(list)
    for row in await fetch(session, AMOUNTS, *asked):
        amounts[row["day"]].append(row)
    left_out: Mapping[datetime.date, dict[str, int]] = defaultdict(dict)
    for row in await fetch(session, LEFT_OUT, *asked):
        left_out[row["day"]][row["reason"]] = row["n"]
    none = dict.fromkeys(("runs", "contracts", "claimed", "skipped", "failed"), 0)
    return [
        RunDayOut.model_validate(
            {
                **none, **runs.get(day, {}), "date": day, "left_out": left_out[day],
                "invoices": sum(row["invoices"] for row in amounts[day]),
                "items": sum(row["items"] for row in amounts[day]),
                "amounts": [DayAmountOut.model_validate(dict(row)) for row in amounts[day]],
            }
        )
        for day in days
    ]  # fmt: skip
