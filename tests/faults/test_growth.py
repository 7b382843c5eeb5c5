"""Topics get more partitions, members join and leave, all at once and under load: the same totals."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from proforma.clock import SystemClock
from proforma.kafka.topics import grow_topics
from proforma.topics import TOPICS, Topic
from proforma.worker import Worker
from tests.conftest import MakeApi, MakeTopics
from tests.faults.sheets import PROJECTS, ROLES, sheet
from tests.flows import main_job
from tests.support.databases import service_named
from tests.support.product import Product, together
from tests.support.rows import rows
from tests.support.waits import running

BEFORE, AFTER = 2, 4
BUSY = ("time-expense", "billing-backlog", "invoicing")
NEW = f"select topic from consumed where partition >= {BEFORE} and next_offset > 0"


def worker_of(product: Product, service: str) -> Worker:
    runtime = product.runtime(service)
    return Worker(runtime, service_named(service).work(runtime))


async def test_partitions_double_while_members_join_and_leave(
    api: MakeApi, make_topics: MakeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies on a new partition before anybody reads it is read from its beginning."""
    monkeypatch.setattr("proforma.kafka.consumer._METADATA_MS", 1_000)
    monkeypatch.setattr("proforma.kafka.producer._METADATA_MS", 300)
    product = await together(api, make_topics, partitions=BEFORE, clock=SystemClock())
    hours = sheet(1_600)
    async with AsyncExitStack() as working:
        stays, leaves, joins = [{name: worker_of(product, name) for name in BUSY} for _ in range(3)]
        for name in BUSY:
            await working.enter_async_context(running(stays[name]))
        stops = [await working.enter_async_context(running(leaves[name])) for name in BUSY]
        contracts = await main_job.make_terms(product, PROJECTS, ROLES)
        importing = asyncio.create_task(main_job.import_approved(product, main_job.as_csv(hours[:600])))
        await main_job.in_backlog_at_least(product, 100)

        access = product.runtime("invoicing").settings.kafka_access
        growing = asyncio.create_task(grow_topics(access, [Topic(topic.name, AFTER) for topic in TOPICS]))
        await asyncio.gather(
            *(working.enter_async_context(running(joins[name])) for name in BUSY),
        )
        for stop in stops:
            stop.set()
        assert len(await growing) == len(TOPICS)
        await importing
        await main_job.import_approved(product, main_job.as_csv(hours[600:]))

        await main_job.in_backlog(product, len(hours))
        assert await main_job.mark_ready(product, contracts) == len(hours)
        invoices = await main_job.confirm(product, await main_job.draft(product, list(contracts)))
        await main_job.invoices_are(product, invoices, contracts, hours)
    assert "time-expense.entries" in {row["topic"] for row in await rows(product.runtime("billing-backlog"), NEW)}
