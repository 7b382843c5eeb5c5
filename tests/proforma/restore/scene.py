"""A probe whose database is put back to what it was, after it has said more."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from proforma import outbox
from proforma.runtime import Runtime
from proforma.worker import Worker
from tests.support.databases import Databases, LentDatabase
from tests.support.probe import SERVICE, Told
from tests.support.rows import rows, value
from tests.support.waits import eventually, running

TOPIC = "probe.things"


async def tell(runtime: Runtime, *values: str) -> None:
    async with runtime.database.transaction() as session:
        told = [Told(name=f"k{number % 7}", value=one) for number, one in enumerate(values)]
        await outbox.emit(session, runtime.context(), told)


@asynccontextmanager
async def working(runtime: Runtime) -> AsyncIterator[Worker]:
    worker = Worker(runtime, SERVICE.work(runtime))
    async with running(worker):
        yield worker


async def say(runtime: Runtime, *values: str) -> None:
    """Says it and waits until it is said and has taken effect."""
    await tell(runtime, *values)
    said = """
        select not exists (select from outbox where not published) and cardinality($1::text[]) =
          (select count(distinct value) from effects where value = any($1))
    """
    async with working(runtime):
        await eventually(lambda: value(runtime, said, list(values)), 60)


async def takes_effect(runtime: Runtime, *values: str) -> None:
    """Works until just these have taken effect, once each."""
    count = "select count(*) from effects"
    async with working(runtime):
        await eventually(lambda: value(runtime, f"select ({count}) >= $1", len(values)), 60)
    assert sorted(row["value"] for row in await rows(runtime, "select value from effects")) == sorted(values)


@asynccontextmanager
async def restored(databases: Databases, runtime: Runtime, lent: LentDatabase, *later: str) -> AsyncIterator[None]:
    """What was said `later` was said after the backup, which is in the database's place now."""
    await runtime.database.engine.dispose()
    copy = await databases.back_up(lent)
    try:
        await say(runtime, *later)
        await runtime.database.engine.dispose()
        await databases.restore(lent, copy)
        yield
    finally:
        await databases.drop(copy)


Run = Callable[..., Awaitable[tuple[int, str]]]
