"""The ledger check finds what breaks a law: each law is broken once, behind the service's back."""

import asyncio
from typing import Any

import pytest

from billing_backlog.checks.queries import LAWS
from billing_backlog.worker import HANDLERS, JOBS
from proforma.jobs import JobRunner
from proforma.runtime import Runtime
from tests.billing_backlog.scene import approve, claimed, confirmation, entry, firm, ready, run, violations
from tests.conftest import MakeApi, MakeRuntime
from tests.support.databases import Databases
from tests.support.events import deliver

CRIMES: dict[str, str] = {
    "a reversal is the exact opposite of its original":
        "update actuals set amount = amount + 1 where reverses is not null",
    "confirming keeps the quantity of each entry": "update actuals set quantity = 9 where type = 'billed_sales'",
    "an unbilled row is open exactly while nothing reverses it": "delete from items where billing_status = 'ready'",
    "an open item shows its ledger row's figures": "update items set quantity = 7 where billing_status = 'ready'",
    "work that no line takes is open while it is not reversed":
        "delete from items where billing_status = 'cost_only'",
    "what is on an invoice is there under a live claim":
        "update claims set status = 'released' where status = 'claimed'",
    "a claim holds no more items than it took": "update claims set items = 0",
    "every billed row of an entry replaces a reversed unbilled row":
        "update actuals set replaces = null where type = 'billed_sales'",
    "a posted invoice has the billed rows that it says": "update postings set amount_wanted = amount_wanted - 1",
    "an approved entry has its cost in the ledger once": "update actuals set cause = 'confirm' where type = 'cost'",
    "cost is untouched by invoicing": "update actuals set cause = 'confirm' where type = 'cost'",
    "without a price there is no amount, and nothing unpriced is billed":
        "update actuals set price = null, amount = null where type = 'billed_sales'",
}  # fmt: skip


async def _scene(runtime: Runtime) -> None:
    """Entry 1 billed, entry 2 on a draft, entry 3 ready, entry 4 without a line."""
    await firm(runtime)
    await ready(runtime, 1)
    await run(runtime)
    await deliver(runtime, HANDLERS, *confirmation(await claimed(runtime)))
    await ready(runtime, 2)
    await run(runtime)
    await ready(runtime, 3)
    await approve(runtime, entry(4, project="X"))


@pytest.mark.parametrize("law", CRIMES)
async def test_a_broken_law_is_found(law: str, make_runtime: MakeRuntime, databases: Databases) -> None:
    runtime = await make_runtime("billing-backlog")
    await _scene(runtime)
    assert await violations(runtime) == []
    behind = await databases.superuser(runtime.database.url.rpartition("/")[2])
    try:
        await behind.execute("set session_replication_role = replica")
        await behind.execute(CRIMES[law])
    finally:
        await behind.close()
    assert law in {one["law"] for one in await violations(runtime)}


async def test_every_law_has_its_crime() -> None:
    assert list(CRIMES) == list(LAWS)


async def test_the_check_is_a_job_with_its_findings(api: MakeApi, databases: Databases) -> None:
    backlog = await api("billing-backlog")
    await _scene(backlog.runtime)
    runner = JobRunner(backlog.runtime.database, backlog.runtime.context(), JOBS)

    async def check() -> Any:
        started = await backlog.as_("manager").post("/v1/ledger/check", json={})
        assert started.status_code == 202
        await runner.run_next(asyncio.Event())
        return (await backlog.as_("manager").get(started.headers["location"])).json()["result"]

    clean = await check()
    assert (clean["checked"], clean["violations"]) == (9, [])
    behind = await databases.superuser(backlog.runtime.database.url.rpartition("/")[2])
    await behind.execute("update items set quantity = 7 where billing_status = 'ready'")
    await behind.close()
    (found,) = (await check())["violations"]
    assert found["law"] == "an open item shows its ledger row's figures"
