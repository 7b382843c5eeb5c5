"""Workers die and come in the middle of the main job: the same totals."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from proforma.clock import SystemClock
from tests.conftest import MakeApi, MakeTopics
from tests.faults.sheets import PROJECTS, ROLES, sheet
from tests.flows import main_job
from tests.support.databases import PACKAGES
from tests.support.processes import environment, process
from tests.support.product import SERVICES, Product, together
from tests.support.rows import value
from tests.support.waits import eventually

_PORT_FREE = "0"


class Crew:
    """Worker processes of each service, `size` of each; one of them is killed and another begins."""

    def __init__(self, product: Product, alive: AsyncExitStack) -> None:
        self._product = product
        self._alive = alive
        self._processes: dict[str, list[AsyncExitStack]] = {name: [] for name in SERVICES}

    async def join(self, service: str) -> None:
        """One more worker of the service."""
        env = environment(
            self._product.runtime(service), PROFORMA_WORKER_PORT=_PORT_FREE, PROFORMA_LOG_LEVEL="CRITICAL"
        )
        mine = await self._alive.enter_async_context(AsyncExitStack())
        await mine.enter_async_context(process(PACKAGES[service], "worker", env))
        self._processes[service].append(mine)

    async def kill_one(self, service: str) -> None:
        """kill -9 of the service's oldest worker: whatever it was doing."""
        await self._processes[service].pop(0).aclose()


@asynccontextmanager
async def crew_of(product: Product, size: int) -> AsyncIterator[Crew]:
    async with AsyncExitStack() as alive:
        crew = Crew(product, alive)
        await asyncio.gather(*(crew.join(name) for name in SERVICES for _ in range(size)))
        yield crew


async def _churn(crew: Crew, product: Product, seed: int) -> AsyncIterator[str]:
    """Each service twice: kills its worker at a random moment, and goes on when the next one is at work."""
    dice = random.Random(seed)
    for service in SERVICES * 2:
        await asyncio.sleep(dice.uniform(0.2, 0.9))
        await crew.kill_one(service)
        await crew.join(service)
        at_work = "select count(*) from pg_stat_activity where datname = current_database() and application_name = $1"

        async def connected(name: str = service, sql: str = at_work) -> bool:
            return bool(await value(product.runtime(name), sql, f"proforma-{name}-worker"))

        await eventually(connected, 60)
        yield service


async def _bill(product: Product, entries: int) -> None:
    rows = sheet(entries)
    contracts = await main_job.make_terms(product, PROJECTS, ROLES)
    await main_job.import_approved(product, main_job.as_csv(rows))
    await main_job.in_backlog(product, entries)
    assert await main_job.mark_ready(product, contracts) == entries
    scheduled, asked = list(contracts)[::2], list(contracts)[1::2]
    await main_job.schedule(product, scheduled, datetime.now(UTC).date())
    invoices = await main_job.confirm(product, await main_job.draft(product, asked, beside=len(scheduled)))
    await main_job.invoices_are(product, invoices, contracts, rows)
    assert len(await product.all("scheduler", "/v1/triggers", status="published")) == len(scheduled)


async def test_kill_9_of_workers_in_the_middle(api: MakeApi, make_topics: MakeTopics) -> None:
    product = await together(api, make_topics, clock=SystemClock())
    killed: list[str] = []
    async with crew_of(product, 1) as crew:

        async def churn() -> None:
            async for service in _churn(crew, product, seed=11):
                killed.append(service)

        churning = asyncio.create_task(churn())
        await _bill(product, 3_000)
        in_the_middle = len(killed)
        await churning
    assert in_the_middle >= 2, "the job was over before anything was killed"


async def test_two_workers_of_each_service_and_a_rebalance_in_the_middle(api: MakeApi, make_topics: MakeTopics) -> None:
    product = await together(api, make_topics, clock=SystemClock())
    async with crew_of(product, 2) as crew:
        rows = sheet(2_000)
        contracts = await main_job.make_terms(product, PROJECTS, ROLES)
        importing = asyncio.create_task(main_job.import_approved(product, main_job.as_csv(rows)))
        await main_job.in_backlog_at_least(product, 200)
        await asyncio.gather(*(crew.join(name) for name in ("billing-backlog", "invoicing")))
        await crew.kill_one("billing-backlog")
        await importing
        await main_job.in_backlog(product, len(rows))
        await main_job.mark_ready(product, contracts)
        drafts = await main_job.draft(product, list(contracts))
        await crew.kill_one("invoicing")
        invoices = await main_job.confirm(product, drafts)
        await main_job.invoices_are(product, invoices, contracts, rows)
