"""The power goes at any moment between row, outbox and Kafka: no trigger is missing, and none is another one's twin."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID

from proforma.clock import SetClock, SystemClock
from proforma.envelope import Record
from proforma.events.scheduler import RunDue
from proforma.intake import Intake
from proforma.kafka.producer import Producer, ProducerFactory
from proforma.relay import Relay
from proforma.runtime import Runtime
from scheduler.loop import publish_turn
from scheduler.schedules.service import take
from scheduler.worker import HANDLERS
from tests.conftest import MakeRuntime, MakeTopics
from tests.scheduler.calendars import TODAY, Line
from tests.scheduler.power_cuts import FragileDatabase, Until
from tests.support.events import record_of
from tests.support.kafka import Broker
from tests.support.processes import Process, environment, process
from tests.support.rows import value
from tests.support.waits import eventually

CONTRACTS = "billing-backlog.contracts"
TRIGGERS = "scheduler.triggers"
CUTS = int(os.environ.get("CUTS", "90"))
KILLS = int(os.environ.get("KILLS", "12"))
"""Together a hundred; `make year` kills a hundred processes besides."""
Key = tuple[UUID, str, UUID]


def seeded() -> random.Random:
    """A seed of this run's own, printed; SEED=n plays a run again."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    print(f"SEED={seed}")  # noqa: T201 - shown when the test fails
    return random.Random(seed)


async def triggered_once(broker: Broker, runtime: Runtime, expected: Sequence[Key]) -> None:
    """Every row has one event in the topic. Kafka may hold it twice under the same id, which every inbox drops."""
    events: dict[Key, set[str]] = {}
    for record in await broker.read(TRIGGERS):
        body = RunDue.model_validate_json(record.value or b"")
        key = (body.contract_line_id, str(body.run_date), body.row_id)
        events.setdefault(key, set()).add(str(record.event_id()))
    assert set(events) == set(expected)
    assert {key: ids for key, ids in events.items() if len(ids) > 1} == {}
    assert await value(runtime, "select count(*) from outbox") == len(expected)
    assert await value(runtime, "select count(*) from triggers where status = 'published'") == len(expected)


class BriefRelay(Relay):
    """Ends when nothing is left to send."""

    stop: asyncio.Event

    async def _send(self, connection: Any, producer: Producer, origin: UUID) -> int:
        sent = await super()._send(connection, producer, origin)
        if not sent:
            self.stop.set()
        return sent


async def relay(runtime: Runtime, producer: Producer) -> None:
    """One lead of a relay. Its producer is there before: until something is sent, Kafka has no part in a death."""

    @asynccontextmanager
    async def started() -> AsyncIterator[Producer]:
        yield producer

    made = cast("ProducerFactory", started)
    brief = BriefRelay(runtime.database, made, "/scheduler", runtime.clock, runtime.settings.limits)
    brief.stop = asyncio.Event()
    await brief._lead(brief.stop)


class Machine:
    """The scheduler's three works on one database, each in a process of its own that can lose its power."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.topic: list[Record] = []
        self.rows: list[Key] = []

    def announce(self, chance: random.Random) -> None:
        """Another schedule with rows that are due, and one that is not, at the end of the topic."""
        line = Line()
        said = line.changed(1, [TODAY - timedelta(days=n) for n in range(chance.randint(1, 3))] + [_LATER])
        self.topic.append(record_of(said, offset=len(self.topic)))
        self.rows += [(line.id, str(row.run_date), row.id) for row in said.rows if row.run_date != _LATER]

    async def consume(self, runtime: Runtime) -> None:
        intake = Intake(runtime.database, runtime.context(), HANDLERS, runtime.group)
        placed = (await intake.positions()).get((CONTRACTS, 0))
        at = placed.offset if placed else 0
        if self.topic[at:]:
            await intake.handle((CONTRACTS, 0), at, self.topic[at : at + 3])

    async def run(self, work: str, cut_at: int) -> Until:
        """One process does one work, up to a wait."""
        database = FragileDatabase(self.runtime.settings, "cut")
        runtime = replace(self.runtime, database=database)
        async with AsyncExitStack() as ending:
            if work == "relay":
                settings = runtime.settings
                producer = await ending.enter_async_context(Producer(settings.kafka_access))
                doing: Coroutine[Any, Any, Any] = relay(runtime, producer)
            else:
                doing = self.consume(runtime) if work == "consume" else publish_turn(runtime)
            until = Until(doing, cut_at, database)
            await until
        await database.close()
        return until


_LATER = TODAY + timedelta(days=1)
_NEVER = 10**6


async def test_the_power_goes_at_any_wait(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, clock: SetClock
) -> None:
    chance = seeded()
    await make_topics(CONTRACTS, TRIGGERS)
    machine = Machine(await make_runtime("scheduler", limits={"batch_max": 4, "relay_rows_max": 3}))
    most: dict[str, int] = {}
    cuts = dict.fromkeys(("consume", "turn", "relay"), 0)
    while sum(cuts.values()) < CUTS:
        machine.announce(chance)
        work = min(cuts, key=lambda one: (cuts[one], one))
        done = await machine.run(work, chance.randint(1, most[work]) if work in most else _NEVER)
        most[work] = max(most.get(work, 0), done.waits)
        cuts[work] += done.was_cut
        if not done.was_cut or chance.random() < 0.2:
            await machine.run(chance.choice(list(cuts)), _NEVER)
    await _finish(machine)
    await triggered_once(broker, machine.runtime, machine.rows)


async def _finish(machine: Machine) -> None:
    """Everything goes on undisturbed to its end."""

    async def consumed() -> bool:
        await machine.run("consume", _NEVER)
        return bool(await value(machine.runtime, "select count(*) = $1 from schedules", len(machine.topic)))

    async def published() -> bool:
        await machine.run("turn", _NEVER)
        return bool(await value(machine.runtime, "select count(*) = $1 from outbox", len(machine.rows)))

    async def sent() -> bool:
        await machine.run("relay", _NEVER)
        return bool(await value(machine.runtime, "select count(*) = 0 from outbox where not published"))

    for end in (consumed, published, sent):
        await eventually(end)


@asynccontextmanager
async def crew(runtime: Runtime) -> AsyncIterator["Crew"]:
    async with AsyncExitStack() as alive:
        yield Crew(runtime, alive)


class Crew:
    """Worker processes that are killed and replaced."""

    def __init__(self, runtime: Runtime, alive: AsyncExitStack) -> None:
        self._runtime = runtime
        self._alive = alive
        self.processes: list[Process] = []

    async def join(self) -> None:
        """One more worker; small steps, so that there are many moments to be killed in."""
        env = environment(
            self._runtime, PROFORMA_WORKER_PORT="0", PROFORMA_LOG_LEVEL="CRITICAL", PROFORMA_LIMITS__BATCH_MAX="5",
            PROFORMA_LIMITS__RELAY_ROWS_MAX="4",
        )  # fmt: skip
        self.processes.append(await self._alive.enter_async_context(process("scheduler", "worker", env)))

    async def feed(self, lines: int) -> list[Key]:
        """Schedules with two rows each that are due."""
        said = [Line().changed(1, [TODAY, TODAY - timedelta(days=1)]) for _ in range(lines)]
        async with self._runtime.database.transaction() as session:
            await take(session, self._runtime.context(), said)
        return [(one.contract_line_id, str(row.run_date), row.id) for one in said for row in one.rows]


async def _sent(runtime: Runtime, wanted: int) -> bool:
    return bool(await value(runtime, "select count(*) >= $1 from outbox where published", wanted))


async def test_kill_9_of_workers_at_random_moments(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    chance = seeded()
    runtime = await make_runtime("scheduler", clock=SystemClock())
    await make_topics(CONTRACTS, TRIGGERS)
    rows: list[Key] = []
    async with crew(runtime) as workers:
        await asyncio.gather(*(workers.join() for _ in range(3)))
        for _ in range(KILLS):
            before = await value(runtime, "select count(*) from outbox where published")
            rows += await workers.feed(60)
            await eventually(partial(_sent, runtime, before + chance.randint(1, 100)), limit_s=300)
            await workers.processes.pop(chance.randrange(3)).kill()
            await workers.join()
        await eventually(partial(_sent, runtime, len(rows)), limit_s=300)
    await triggered_once(broker, runtime, rows)


async def test_another_process_takes_over_within_seconds(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("scheduler", clock=SystemClock())
    await make_topics(CONTRACTS, TRIGGERS)
    listening = "select count(*) = $1 from pg_stat_activity where query ilike 'listen%triggers%'"
    async with crew(runtime) as workers:
        await workers.join()
        rows = await workers.feed(1)
        await eventually(partial(_sent, runtime, 2), limit_s=40)
        await workers.join()
        await eventually(lambda: value(runtime, f"{listening} and datname = current_database()", 2), limit_s=40)
        await workers.processes[0].kill()
        rows += await workers.feed(1)
        killed_at = time.monotonic()
        await eventually(partial(_sent, runtime, 4))
        assert time.monotonic() - killed_at < 10
    await triggered_once(broker, runtime, rows)
