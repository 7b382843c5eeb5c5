"""The ledger check finds what breaks a law: each law is broken once, behind the service's back."""

import asyncio
from typing import Any

import pytest

from billing_backlog.checks.queries import LAWS
from billing_backlog.worker import HANDLERS, JOBS
from proforma.jobs import JobRunner
from proforma.runtime import Runtime
from tests.billing_backlog.confirmed import confirm, drafted, edited, figures, sourced_on_draft, written_off
from tests.billing_backlog.scene import approve, claimed, confirmation, entry, firm, ready, run, violations
from tests.conftest import MakeApi, MakeRuntime
from tests.support.databases import Databases
from tests.support.events import deliver
from tests.support.rows import value

CRIMES: dict[str, str] = {
    "a reversal is the exact opposite of its original":
        "update actuals set amount = amount + 1 where reverses is not null",
    "what replaces a billed or unbilled row is at least its quantity, and exactly it where it was split":
        "update actuals set quantity = 7 where quantity = 8 and type = 'billed_sales'",
    "what is split at one price keeps its amount":
        "update actuals set amount = amount - 1 where quantity = 2 and type = 'billed_sales'",
    "an unbilled row is open exactly while nothing reverses it": "delete from items where billing_status = 'ready'",
    "an open item shows its ledger row's figures": "update items set quantity = 7 where billing_status = 'ready'",
    "work that no line takes is open while it is not reversed":
        "delete from items where billing_status = 'cost_only'",
    "what is on an invoice is there under a live claim":
        "update claims set status = 'released' where status = 'claimed'",
    "a claim holds no more items than it took": "update claims set items = 0",
    "what a billed row replaces is reversed by the same invoice":
        "update actuals set invoice_id = gen_random_uuid() where reverses is not null",
    "only what was added by hand or accepted is billed with nothing behind it":
        "update actuals set replaces = null where type = 'billed_sales'",
    "a milestone or product line is billed at most once, and open exactly while it is not billed":
        "delete from actuals where item_id is not null",
    "a posted invoice has the billed rows that it says": "update postings set amount_wanted = amount_wanted - 1",
    "an approved entry has its cost in the ledger once": "delete from actuals where type = 'cost'",
    "nothing of a reversed entry stands": "update entries set state = 'reversed'",
    "a row that is reversed says so, and its reversal is never reversed":
        "update actuals set adjustment = null where reverses is not null",
    "cost is untouched by invoicing": "update actuals set cause = 'confirm' where type = 'cost'",
    "without a price there is no amount, and nothing unpriced is billed":
        "update actuals set price = null, amount = null where type = 'billed_sales'",
}  # fmt: skip


async def _scene(runtime: Runtime) -> None:
    """Entry 1 billed, entry 5 in part, and a milestone; entry 2 on a draft, entry 3 ready, entry 4 without a line."""
    await firm(runtime)
    await ready(runtime, 1)
    await run(runtime)
    await deliver(runtime, HANDLERS, *confirmation(await claimed(runtime)))
    await ready(runtime, 5)
    (detail,) = await drafted(runtime)
    detail = edited(detail, figures("6", "200"), "write_off")
    milestone = await sourced_on_draft(runtime, "milestone", "1", "5000")
    await confirm(runtime, [detail, written_off(detail), milestone])
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
    assert (clean["checked"], clean["violations"]) == (await value(backlog.runtime, "select count(*) from actuals"), [])
    behind = await databases.superuser(backlog.runtime.database.url.rpartition("/")[2])
    await behind.execute("update items set quantity = 7 where billing_status = 'ready'")
    await behind.close()
    (found,) = (await check())["violations"]
    assert found["law"] == "an open item shows its ledger row's figures"
