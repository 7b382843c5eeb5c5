"""What waits, in every service: rows of one view, with their age, a gauge and a question that can be asked again."""

from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from proforma.context import Context
from proforma.db import execute, fetch
from proforma.errors import Conflict, NotFound
from proforma.telemetry import WAITING, WAITING_AGE

Ask = Callable[[AsyncSession, Context, str], Awaitable[None]]
"""Asks again for one waiting thing, by the id that the view shows."""

ONE = "select kind, id, since, detail from waiting where id = $1"
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
