"""A day on which every contract line is due: how long the scheduler takes to publish it, and in how much memory.

`make bench`, or `PYTHONPATH=deploy:. .venv/bin/python -m bench.scheduler_day --lines 100000`. POSTGRES=url and
KAFKA=host:port take servers that run already; the databases and topics that it makes there are its own.
"""

import argparse
import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import asyncpg
import psutil

from local.backend import start_backend
from local.databases import ServiceDatabase, create_databases_async, drop_databases_async
from proforma import known
from proforma.clock import SetClock
from proforma.db import fetch_value
from proforma.envelope import Envelope, Record
from proforma.events.billing_backlog import ScheduleChanged, ScheduleRow
from proforma.events.scheduler import RunDue
from proforma.intake import Intake
from proforma.kafka.producer import ProducerFactory
from proforma.kafka.topics import create_topics
from proforma.migrations import upgrade
from proforma.relay import Relay
from proforma.runtime import Runtime
from proforma.settings import ServiceSettings
from proforma.telemetry import configure_logging
from proforma.topics import Topic
from scheduler.__main__ import SERVICE
from scheduler.loop import publish_turn
from scheduler.worker import HANDLERS

DAY = date(2026, 3, 2)
LINES = 100_000
_BATCH = 500
_SAMPLE_S = 0.02

# The least that a database can do for the same outcome: every event in one statement, every status in another.
_FLOOR_TABLES = """
create table floor_triggers (like triggers including all);
create table floor_outbox (like outbox including all);
insert into floor_triggers select * from triggers;
analyze floor_triggers;
"""
_FLOOR_INSERT = """
insert into floor_outbox (event_id, topic, type, key, body, created_at)
select gen_random_uuid(), $2, $3, contract_id::text, json_build_object('contract_id', contract_id, 'contract_line_id',
  contract_line_id, 'run_date', run_date, 'row_id', row_id, 'schedule_version', schedule_version)::text, $1
from floor_triggers where status = 'upcoming' and not held and due_at <= $1 order by due_at, id
"""
_FLOOR_UPDATE = """
update floor_triggers set status = 'published', published_at = $1, version = version + 1, updated_at = $1
where status = 'upcoming' and not held and due_at <= $1
"""


@dataclass(frozen=True)
class Stage:
    """What a part of the run took: seconds, and the most memory that this process had meanwhile, in bytes."""

    seconds: float
    peak: int


@dataclass(frozen=True)
class Result:
    """`built`: schedules taken over; `floor`: the bare SQL; `published`: into the outbox; `sent`: on into Kafka."""

    lines: int
    built: Stage
    floor: Stage
    published: Stage
    sent: Stage


async def staged(work: Callable[[], Awaitable[None]]) -> Stage:
    """Does the work and measures it."""
    process = psutil.Process()
    peak = process.memory_info().rss
    over = asyncio.Event()

    async def sample() -> None:
        nonlocal peak
        while not over.is_set():
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(_SAMPLE_S)

    sampling = asyncio.create_task(sample())
    begun = time.perf_counter()
    try:
        await work()
        return Stage(time.perf_counter() - begun, max(peak, process.memory_info().rss))
    finally:
        over.set()
        await sampling


@asynccontextmanager
async def scheduler(postgres: str, kafka: str) -> AsyncIterator[tuple[Runtime, ServiceDatabase]]:
    """The service on an empty database of its own, its clock at noon of the day, and topics of its own."""
    prefix = f"bench_{uuid.uuid4().hex[:8]}_"
    made = await create_databases_async(postgres, prefix=prefix)
    try:
        database = made[SERVICE.name]
        await upgrade(database.owner_url, SERVICE.migrations, database.name)
        settings = ServiceSettings(
            database_url=database.url, kafka=kafka, topic_prefix=f"{prefix}.", auth_issuer="bench",
            auth_audience="bench", auth_jwks_url="http://nobody.invalid/asks",
        )  # fmt: skip
        await create_topics(settings.kafka_access, [Topic(RunDue.TOPIC, 3)])
        noon = datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC)
        runtime = SERVICE.runtime(settings, "bench", clock=SetClock(noon))
        async with runtime.database.transaction() as session:
            await known.mark(session)  # as a worker would have: its topics are as new as it is
        try:
            yield runtime, database
        finally:
            await runtime.database.close()
    finally:
        await drop_databases_async(postgres, [one.name for one in made.values()])


def announcements(lines: int) -> Iterator[Sequence[Record]]:
    """Batches of schedules, each of a line with a row on the day, as records of billing-backlog's topic."""
    for start in range(0, lines, _BATCH):
        yield [announcement(n) for n in range(start, min(start + _BATCH, lines))]


def announcement(offset: int) -> Record:
    """One schedule; two lines make a contract."""
    out = ScheduleChanged(
        contract_id=uuid.UUID(int=offset // 2), contract_line_id=uuid.uuid4(), schedule_id=uuid.uuid4(),
        schedule_version=1, time_zone="Europe/Berlin",
        rows=[ScheduleRow(id=uuid.uuid4(), run_date=DAY, cut_off=DAY - timedelta(days=1))],
    ).outgoing()  # fmt: skip
    envelope = Envelope(
        uuid.uuid4(), "/billing-backlog", out.type, out.key, datetime.now(UTC), offset, uuid.UUID(int=1), {}
    )
    return Record(out.topic, 0, offset, out.key.encode(), envelope.headers(), out.body.encode())


async def build(runtime: Runtime, lines: int) -> None:
    """The real handler takes every schedule over."""
    intake = Intake(runtime.database, runtime.context(), HANDLERS, runtime.group)
    for batch in announcements(lines):
        await intake.handle((ScheduleChanged.TOPIC, 0), batch[0].offset, batch)


async def floor(owner_url: str, now: datetime) -> Stage:
    """The same rows by one INSERT and one UPDATE, in copies of the tables with all their indexes and constraints."""
    connection = await asyncpg.connect(owner_url)

    async def work() -> None:
        async with connection.transaction():
            await connection.execute(_FLOOR_INSERT, now, RunDue.TOPIC, RunDue.TYPE)
            await connection.execute(_FLOOR_UPDATE, now)

    try:
        await connection.execute(_FLOOR_TABLES)
        return await staged(work)
    finally:
        await connection.close()


async def publish(runtime: Runtime) -> None:
    """Turns of the real loop until nothing is due."""
    while (following := await publish_turn(runtime)) is not None and following <= runtime.clock.now():
        pass


async def send(runtime: Runtime) -> None:
    """The real relay until nothing is left in the outbox."""
    settings, stop = runtime.settings, asyncio.Event()
    producer = ProducerFactory(settings.kafka_access)
    relay = Relay(runtime.database, producer, "/scheduler", runtime.clock, settings.limits)
    relaying = asyncio.create_task(relay.run(stop))
    try:
        while await count(runtime, "select count(*) from outbox where not published"):
            if relaying.done():
                break
            await asyncio.sleep(_SAMPLE_S)
    finally:
        stop.set()
        await relaying


async def count(runtime: Runtime, sql: str) -> int:
    """The number that a statement answers."""
    async with runtime.database.transaction() as session:
        return int(await fetch_value(session, sql))


async def measure(postgres: str, kafka: str, lines: int) -> Result:
    """The whole run; raises where a line was missed or published twice."""
    async with scheduler(postgres, kafka) as (runtime, database):
        built = await staged(lambda: build(runtime, lines))
        least = await floor(database.owner_url, runtime.clock.now())
        published = await staged(lambda: publish(runtime))
        sent = await staged(lambda: send(runtime))
        for sql in (
            "select count(distinct body) from outbox where published",
            "select count(*) from outbox",
            "select count(*) from triggers where status = 'published'",
        ):
            found = await count(runtime, sql)
            if found != lines:
                raise RuntimeError(f"{sql}: {found} instead of {lines}")
        return Result(lines, built, least, published, sent)


def report(result: Result) -> str:
    """The result as a person reads it."""
    least = result.floor
    stages = {"floor": least, "publish": result.published, "send": result.sent, "build": result.built}
    rows = [
        f"{result.lines} contract lines due on one day",
        f"{'':10}{'seconds':>10}{'× floor':>10}{'peak MB':>10}{'× floor':>10}",
    ]
    rows += [
        f"{name:10}{one.seconds:>10.2f}{one.seconds / least.seconds:>10.1f}"
        f"{one.peak / 1e6:>10.0f}{one.peak / least.peak:>10.2f}"
        for name, one in stages.items()
    ]  # fmt: skip
    return "\n".join(rows)


def main() -> None:
    """Runs it on the servers that the environment names, or on embedded ones, and prints the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lines", type=int, default=LINES)
    lines = parser.parse_args().lines
    # A line for every batch would be part of what is measured.
    configure_logging("bench", "WARNING")
    backend = start_backend()
    try:
        print(backend.description)
        print(report(asyncio.run(measure(backend.postgres, backend.kafka, lines))))
    finally:
        backend.stop()


if __name__ == "__main__":
    main()
