"""What waits, in every service: rows of one view, with their age, a gauge and a question that can be asked again."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.context import Context
from proforma.db import execute, fetch
from proforma.errors import Conflict, NotFound
from proforma.telemetry import WAITING, WAITING_AGE

Ask = Callable[[AsyncSession, Context, str], Awaitable[None]]
"""Asks again for one waiting thing, by the id that the view shows."""

ONE = "select kind, id, since, detail from waiting where id = $1"
PAGE = """
select kind, id, since, detail from waiting
where ($1::timestamptz is null or (since, kind, id) > ($1, $2, $3)) order by since, kind, id limit $4
"""
SUMMARY = "select kind, count(*) as n, min(since) as since from waiting group by kind"


async def wake_relay(session: AsyncSession, _: Context, __: str) -> None:
    """Wakes the relay: what an outbox row waits for."""
    await execute(session, "notify outbox")


async def wake_jobs(session: AsyncSession, context: Context, job_id: str) -> None:
    """Frees a job whose lease is over for the next worker."""
    await execute(
        session,
        "update jobs set lease_until = null where id = $1::uuid and lease_until < $2",
        job_id,
        context.clock.now(),
    )


KERNEL_ASKS: Mapping[str, Ask] = {"outbox": wake_relay, "job": wake_jobs}


async def page(
    session: AsyncSession, after: tuple[datetime | None, str, str], limit: int
) -> Sequence[Mapping[str, Any]]:
    """What waits, oldest first, behind the (since, kind, id) of `after`; (None, "", "") is the beginning."""
    return [dict(row) for row in await fetch(session, PAGE, *after, limit)]


async def ask(session: AsyncSession, context: Context, asks: Mapping[str, Ask], thing: str) -> None:
    """Asks again; raises NotFound when it does not wait any more, Conflict when nobody can be asked."""
    rows = await fetch(session, ONE, thing)
    if not rows:
        raise NotFound(f"nothing waits under {thing}")
    known = {**KERNEL_ASKS, **asks}
    for row in rows:
        again = known.get(row["kind"])
        if again is None:
            raise Conflict(f"a {row['kind']} is not asked again: see its own verbs")
        await again(session, context, thing)


async def measure(session: AsyncSession, context: Context, kinds: set[str]) -> set[str]:
    """Sets the gauges from the view; `kinds` were seen before and fall to zero when they are gone."""
    rows = {row["kind"]: row for row in await fetch(session, SUMMARY)}
    now = context.clock.now()
    for kind in kinds | set(rows):
        row = rows.get(kind)
        WAITING.labels(kind).set(row["n"] if row else 0)
        WAITING_AGE.labels(kind).set((now - row["since"]).total_seconds() if row else 0)
    return kinds | set(rows)
