"""Jobs as a whole: the list for operators, and the gauges of what is under way."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import fetch
from proforma.telemetry import JOBS, JOBS_DONE, JOBS_PLANNED

NEWEST = """
select id, kind, status, done, total, refused, created_by, created_at, progressed_at, finished_at from jobs
where $1::text is null or status = $1 order by created_at desc, id limit $2
"""
# A job that does not know its total counts what it has done, so that the two agree when it ends.
UNDER_WAY = """
select kind, status, count(*) as n, sum(done) as done, sum(greatest(coalesce(total, 0), done)) as planned
from jobs where status in ('queued', 'running') group by kind, status
"""


async def newest(session: AsyncSession, status: str | None, limit: int) -> Sequence[Mapping[str, Any]]:
    """Jobs with how far they are, newest first; in any state where `status` is None."""
    return [dict(row) for row in await fetch(session, NEWEST, status, limit)]


async def measure(session: AsyncSession) -> None:
    """Sets the gauges of the jobs under way; reads the index of open jobs only."""
    rows = await fetch(session, UNDER_WAY)
    for gauge in (JOBS, JOBS_DONE, JOBS_PLANNED):
        gauge.clear()
    for row in rows:
        JOBS.labels(row["kind"], row["status"]).set(row["n"])
        if row["status"] == "running":
            JOBS_DONE.labels(row["kind"]).set(row["done"])
            JOBS_PLANNED.labels(row["kind"]).set(row["planned"])
