"""The whole product in one test: four services with their databases, meeting in a real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from proforma.runtime import Runtime
from proforma.topics import TOPICS
from proforma.worker import Worker
from tests.support.api import Api
from tests.support.databases import KERNEL_TABLES, service_named
from tests.support.rows import rows, value
from tests.support.waits import eventually, running

SERVICES = ("time-expense", "billing-backlog", "invoicing", "scheduler")

_TABLES = "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"


@dataclass(frozen=True)
class Product:
    """The four services. `call` is an HTTP call that must succeed."""

    apis: Mapping[str, Api]

    def runtime(self, service: str) -> Runtime:
        return self.apis[service].runtime

    async def call(self, service: str, method: str, path: str, role: str, **request: Any) -> Any:
        """The answer's JSON; fails with the problem when it is not 2xx."""
        client: httpx.AsyncClient = self.apis[service].as_(role)
        answer = await client.request(method, path, **request)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def all(self, service: str, path: str, role: str = "manager", **query: Any) -> list[dict[str, Any]]:
        """Every item of a list, page by page."""
        found: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            params = {**query, "limit": 1000, **({"after": after} if after else {})}
            page = await self.call(service, "GET", path, role, params=params)
            found += page["items"]
            after = page["next"]
            if after is None:
                return found

    async def job(self, service: str, job: Mapping[str, Any], limit_s: float = 120) -> dict[str, Any]:
        """Waits for a job's end, which must be success."""

        async def over() -> dict[str, Any] | None:
            now: dict[str, Any] = await self.call(service, "GET", f"/v1/jobs/{job['id']}", "manager")
            return now if now["status"] not in ("queued", "running") else None

        ended = await eventually(over, limit_s)
        assert ended is not None
        assert ended["status"] == "succeeded", ended
        return ended

    @asynccontextmanager
    async def working(self, services: Sequence[str] = SERVICES) -> AsyncIterator[None]:
        """One worker of each service, in this process, while the block lasts."""
        async with AsyncExitStack() as ending:
            for name in services:
                runtime = self.runtime(name)
                await ending.enter_async_context(running(Worker(runtime, service_named(name).work(runtime))))
            yield

    async def quiet(self, limit_s: float = 60) -> None:
        """Waits until every event is sent and every consumer is at the end of its topics."""
        settings = self.runtime("invoicing").settings
        consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka)
        await consumer.start()
        try:
            prefix = settings.topic_prefix
            partitions = await _partitions(consumer, [prefix + topic.name for topic in TOPICS])
            rounds = 0

            async def is_quiet() -> bool:
                # Outboxes and positions are not one snapshot: what was read may have been said just behind the look.
                nonlocal rounds
                async with asyncio.timeout(20):
                    ends = await consumer.end_offsets(partitions)
                read = {(at.topic.removeprefix(prefix), at.partition): end for at, end in ends.items()}
                rounds = rounds + 1 if await self._sent() and await self._read(read) else 0
                return rounds == 2

            await eventually(is_quiet, limit_s)
        finally:
            # A consumer that was never assigned anything may wait for ever for a task of its own that it has canceled.
            with suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(consumer.stop(), 5)

    async def _sent(self) -> bool:
        unsent = "select count(*) from outbox where not published"
        return not any([await value(self.runtime(name), unsent) for name in SERVICES])

    async def _read(self, ends: Mapping[tuple[str, int], int]) -> bool:
        for name in SERVICES:
            runtime = self.runtime(name)
            topics = service_named(name).work(runtime).handlers.topics
            sql = "select topic, partition, next_offset from consumed where consumer = $1"
            seen = {
                (row["topic"], row["partition"]): row["next_offset"] for row in await rows(runtime, sql, runtime.group)
            }
            if any(end > seen.get(at, 0) for at, end in ends.items() if at[0] in topics):
                return False
        return True

    async def snapshot(self) -> dict[str, list[str]]:
        """Every row of every table of the four databases but the kernel's own: what a repeat must not change."""
        found: dict[str, list[str]] = {}
        for name in SERVICES:
            runtime = self.runtime(name)
            for table in await rows(runtime, _TABLES):
                if table["relname"] not in KERNEL_TABLES:
                    listed = await rows(runtime, f"select t::text as row from {table['relname']} t order by 1")
                    found[f"{name}.{table['relname']}"] = [row["row"] for row in listed]
        return found

    async def dead_letters(self) -> list[dict[str, Any]]:
        """What could not take effect anywhere."""
        found = []
        for name in SERVICES:
            found += await rows(self.runtime(name), "select topic, event_type, reason from dead_letters")
        return found


async def _partitions(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> list[TopicPartition]:
    """Every partition of these topics. The client knows only of topics that it was told to ask for."""
    async with asyncio.timeout(20):
        while not all(consumer.partitions_for_topic(topic) for topic in topics):
            for topic in topics:
                consumer._client.add_topic(topic)
            await consumer._client.force_metadata_update()
    return [TopicPartition(topic, number) for topic in topics for number in consumer.partitions_for_topic(topic)]


async def together(make_api: Any, make_topics: Any, partitions: int = 3, **given: Any) -> Product:
    """Four services on fresh databases and this test's own topics."""
    await make_topics(*(topic.name for topic in TOPICS), partitions=partitions)
    made = await asyncio.gather(*(make_api(name, **given) for name in SERVICES))
    return Product(dict(zip(SERVICES, made, strict=True)))
