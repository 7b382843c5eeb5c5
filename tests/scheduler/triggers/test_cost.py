"""What looking and publishing cost, in statements and rows read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from proforma.db import Database, driver, fetch
from proforma.runtime import Runtime
from scheduler.loop import publish_turn
from scheduler.pauses import service as pauses
from scheduler.triggers import queries
from scheduler.worker import HANDLERS
from tests.conftest import MakeRuntime
from tests.scheduler.calendars import TODAY, Line
from tests.support.events import deliver, outbox_of
from tests.support.rows import change
from tests.support.statements import written_down

TOMORROW = TODAY + timedelta(days=1)


class Watched:
    """A database that writes down what is asked of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.statements: list[str] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """As the database's own."""
        async with self._database.transaction() as session:
            connection = await driver(session)
            with written_down(connection, self.statements):
                yield session


@pytest.fixture
async def runtime(make_runtime: MakeRuntime) -> Runtime:
    return await make_runtime("scheduler")


async def turn(runtime: Runtime) -> tuple[datetime | None, list[str]]:
    """What a turn returned, and its statements."""
    watched = Watched(runtime.database)
    found = await publish_turn(replace(runtime, database=cast("Database", watched)))
    return found, watched.statements


async def test_nothing_due_is_one_statement(runtime: Runtime) -> None:
    assert await turn(runtime) == (None, [queries.NEXT_DUE])
    paused = Line()
    await deliver(runtime, HANDLERS, Line().changed(1, [TOMORROW]), paused.changed(1, [TODAY]))
    async with runtime.database.transaction() as session:
        await pauses.pause(session, runtime.context(), paused.schedule_id, None, None)
    assert await turn(runtime) == (datetime.fromisoformat("2026-03-03T00:00:00Z"), [queries.NEXT_DUE])
    assert await outbox_of(runtime) == []


async def test_a_thousand_are_published_in_a_handful_of_statements(runtime: Runtime) -> None:
    await deliver(runtime, HANDLERS, *[Line().changed(1, [TODAY]) for _ in range(1000)])
    _, statements = await turn(runtime)
    assert len(await outbox_of(runtime)) == 1000
    assert len(statements) <= 5, statements


async def plan_of(runtime: Runtime, sql: str, *args: object) -> str:
    async with runtime.database.transaction() as session:
        return "\n".join(row[0] for row in await fetch(session, f"explain (analyze, timing off) {sql}", *args))


async def test_finding_what_is_due_reads_one_index_however_much_was_published_or_is_held(runtime: Runtime) -> None:
    lines = [Line() for _ in range(300)]
    await deliver(runtime, HANDLERS, *[line.changed(1, [TODAY - timedelta(days=2)]) for line in lines])
    while await publish_turn(runtime) is not None:
        pass
    await deliver(runtime, HANDLERS, *[Line().changed(1, [TODAY - timedelta(days=1)]) for _ in range(300)])
    await change(runtime, "update triggers set held = true where status = 'upcoming'")
    await deliver(runtime, HANDLERS, *[Line().changed(1, [TOMORROW]) for _ in range(300)])
    for sql, args in ((queries.NEXT_DUE, ()), (queries.PUBLISH, (runtime.clock.now(), 1000, None))):
        plan = await plan_of(runtime, sql, *args)
        assert "triggers_due_idx" in plan
        assert "Seq Scan" not in plan
        assert "Rows Removed" not in plan
