"""Re-evaluation in the ledger: the moves of design §4, and everything that runs beside it."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from billing_backlog.billing_types.service import set_billing_type
from billing_backlog.cancellations import service as cancellations
from billing_backlog.cancellations.rules import Question
from billing_backlog.reevaluation import service
from billing_backlog.worker import HANDLERS
from proforma.clock import new_id
from proforma.db import execute
from proforma.runtime import Runtime
from tests.billing_backlog.reevaluation.steps import dearer, job, posted, run_jobs
from tests.billing_backlog.scene import (
    CONTRACT,
    COST,
    LINE,
    PROJECT,
    SALES,
    approve,
    claimed,
    confirmation,
    contract,
    entry,
    firm,
    items,
    ready,
    run,
    violations,
)
from tests.billing_backlog.terms import all_classes, fixed_price, rate
from tests.support.api import Api
from tests.support.events import deliver
from tests.support.rows import change, locks_awaited, value

OFF = "update contract_lines set project = 'ELSEWHERE'"
ON = "update contract_lines set project = 'P1'"


@pytest.fixture
async def backlog(client: Api) -> Api:
    await firm(client.runtime)
    return client


async def apply(runtime: Runtime, *ns: int) -> service.Tally:
    async with runtime.database.transaction() as session:
        return await service.apply(session, runtime.context(), [entry(n).id for n in ns])


async def statuses(backlog: Api) -> list[str]:
    return sorted(item["billing_status"] for item in await items(backlog.runtime))


async def test_work_moves_on_to_a_line_and_leaves_it(backlog: Api) -> None:
    await change(backlog.runtime, OFF)
    await approve(backlog.runtime, entry(1))
    await change(backlog.runtime, ON)
    assert (await job(backlog))["result"] == {
        "changed": 1, "unchanged": 0, "refused": 0, "kinds": {"to_line": 1},
    }  # fmt: skip
    onto: list[tuple[Any, ...]] = [
        ("cost", None, -8, -800, "re-evaluate", False),
        ("cost", "chargeable", 8, 800, "re-evaluate", True),
        ("unbilled_sales", "chargeable", 8, 1600, "re-evaluate", True),
    ]
    assert await posted(backlog) == onto
    assert await statuses(backlog) == ["unbilled"]
    assert await violations(backlog.runtime) == []
    await change(backlog.runtime, "update contract_lines set includes = '{expense}'")
    assert (await job(backlog))["result"]["kinds"] == {"off_line": 1}
    for row in (
        ("cost", "chargeable", -8, -800, "re-evaluate", True),
        ("cost", None, 8, 800, "re-evaluate", False),
        ("unbilled_sales", "chargeable", -8, -1600, "re-evaluate", True),
    ):
        assert row in await posted(backlog)
    assert len(await posted(backlog)) == 6
    assert await statuses(backlog) == ["cost_only"]
    assert await violations(backlog.runtime) == []


async def test_a_new_price_replaces_the_item_and_the_cost_stays(backlog: Api) -> None:
    await ready(backlog.runtime, 1)
    (old,) = await items(backlog.runtime)
    await dearer(backlog.runtime)
    assert (await job(backlog))["result"]["kinds"] == {"price": 1}
    assert await posted(backlog) == [
        ("unbilled_sales", "chargeable", -8, -1600, "re-price", True),
        ("unbilled_sales", "chargeable", 8, 1760, "re-price", True),
    ]
    (new,) = await items(backlog.runtime)
    assert (new["billing_status"], new["amount"]) == ("unbilled", 1760)
    assert await value(backlog.runtime, "select replaces from actuals where id = $1", new["id"]) == old["id"]
    assert await violations(backlog.runtime) == []


async def test_a_price_that_was_missing_is_found(backlog: Api) -> None:
    await approve(backlog.runtime, entry(1, role="poet"))
    for price_list, price in ((SALES, "200"), (COST, "100")):
        await rate(backlog.runtime, "time", price_list, role="poet", price=price)
    await job(backlog)
    (item,) = await items(backlog.runtime)
    assert (item["unpriced"], item["amount"], item["has_cost_price"]) == (None, 1600, True)
    assert await violations(backlog.runtime) == []


async def test_work_goes_to_a_fixed_price_and_comes_back(backlog: Api) -> None:
    await approve(backlog.runtime, entry(1, billable_quantity="6"))
    await fixed_price(backlog.runtime)
    await job(backlog)
    assert await items(backlog.runtime) == []
    await change(
        backlog.runtime, "update contract_lines set billing_method = 'time_and_material', contracted_amount = null"
    )
    await job(backlog)
    shown = [(item["quantity"], item["billing_type"]) for item in await items(backlog.runtime)]
    assert shown == [(6, "chargeable"), (2, "non_chargeable")]
    assert await violations(backlog.runtime) == []


async def test_a_second_run_changes_nothing(backlog: Api) -> None:
    await approve(backlog.runtime, entry(1), entry(2, billable_quantity="6"), entry(3, role="poet"))
    await dearer(backlog.runtime)
    assert (await job(backlog))["result"]["changed"] == 2
    before = await value(backlog.runtime, "select count(*) from actuals")
    assert (await job(backlog))["result"] == {"changed": 0, "unchanged": 3, "refused": 0, "kinds": {}}
    assert await value(backlog.runtime, "select count(*) from actuals") == before


async def test_what_an_invoice_has_stays_and_is_named(backlog: Api) -> None:
    await ready(backlog.runtime, 1)
    await run(backlog.runtime)
    await deliver(backlog.runtime, HANDLERS, *confirmation(await claimed(backlog.runtime)))
    await ready(backlog.runtime, 2)
    await run(backlog.runtime)
    await approve(backlog.runtime, entry(3))
    await dearer(backlog.runtime)
    made = await job(backlog)
    assert made["result"] == {"changed": 1, "unchanged": 0, "refused": 2, "kinds": {"price": 1}}
    problems = (await backlog.as_("biller").get(f"/v1/jobs/{made['id']}/problems")).json()["items"]
    assert sorted((one["reason"], one["target_id"]) for one in problems) == [
        ("on_invoice", str(entry(2).id)), ("posted", str(entry(1).id)),
    ]  # fmt: skip
    assert await statuses(backlog) == ["on_invoice", "unbilled"]
    assert await violations(backlog.runtime) == []


async def test_what_a_biller_set_by_hand_stays_set(backlog: Api) -> None:
    await approve(backlog.runtime, entry(1, billable_quantity="6"))
    first = (await items(backlog.runtime))[0]["id"]
    async with backlog.runtime.database.transaction() as session:
        await set_billing_type(session, backlog.runtime.context(), [first], "complimentary")
    assert (await job(backlog))["result"]["changed"] == 0
    await dearer(backlog.runtime)
    for changed in (1, 0):
        assert (await job(backlog))["result"]["changed"] == changed
    shown = [(item["quantity"], item["billing_type"], item["price"]) for item in await items(backlog.runtime)]
    assert shown == [(6, "complimentary", 220), (2, "non_chargeable", 220)]


async def test_what_a_closed_contract_ended_stays_with_it(backlog: Api) -> None:
    await approve(backlog.runtime, entry(1))
    other = UUID(int=50)
    await backlog.as_("manager").post(f"/v1/contracts/{CONTRACT}/close", headers={"If-Match": "*"})
    await contract(backlog.runtime, other, {UUID(int=51): PROJECT})
    made = await job(backlog, f"/v1/contracts/{other}/re-evaluate")
    assert made["result"] == {"changed": 0, "unchanged": 1, "refused": 0, "kinds": {}}
    assert await items(backlog.runtime) == []


async def test_beside_a_claim_only_one_of_them_has_the_work(backlog: Api) -> None:
    await ready(backlog.runtime, 1)
    await dearer(backlog.runtime)
    runtime = backlog.runtime
    async with runtime.database.transaction() as session:
        await execute(session, "select from contracts where id = $1 for update", CONTRACT)
        waiting = asyncio.create_task(apply(runtime, 1))
        await locks_awaited(runtime)
        await execute(session, "update items set billing_status = 'on_invoice', claim_id = $1", new_id())
    tally = await waiting
    assert (tally.changed, len(tally.refused)) == (0, 1)
    assert [item["amount"] for item in await items(runtime)] == [1600]


async def test_beside_a_cancellation_nothing_comes_back(backlog: Api) -> None:
    await approve(backlog.runtime, entry(1))
    await dearer(backlog.runtime)
    runtime = backlog.runtime
    async with runtime.database.transaction() as session:
        question = Question(entry(1).id, 1, new_id(), PROJECT)
        await cancellations.cancel(session, runtime.context(), [question])
        waiting = asyncio.create_task(apply(runtime, 1))
        await locks_awaited(runtime)
    assert (await waiting).changed == 0
    assert await items(runtime) == []
    assert await violations(runtime) == []


async def test_an_approval_waits_and_finds_the_line_as_it_is_then(backlog: Api) -> None:
    runtime = backlog.runtime
    await approve(runtime, entry(1))
    await dearer(runtime)
    async with runtime.database.transaction() as session:
        await service.apply(session, runtime.context(), [entry(1).id])
        waiting = asyncio.create_task(approve(runtime, entry(2, date=date(2026, 2, 3))))
        await locks_awaited(runtime)
    await waiting
    assert [item["amount"] for item in await items(runtime)] == [1760, 1760]


async def test_two_at_once_change_each_entry_once(backlog: Api) -> None:
    await approve(backlog.runtime, *(entry(n) for n in range(1, 31)))
    await dearer(backlog.runtime)
    runtime = backlog.runtime
    found = await asyncio.gather(apply(runtime, *range(1, 31)), apply(runtime, *range(30, 0, -1)))
    assert sorted(one.changed for one in found) == [0, 30]
    assert await violations(runtime) == []


async def test_an_entry_that_went_to_another_project_is_left_alone(backlog: Api) -> None:
    runtime = backlog.runtime
    await approve(runtime, entry(1))
    await dearer(runtime)
    async with runtime.database.transaction() as session:
        await execute(session, "select from entries for update")
        waiting = asyncio.create_task(apply(runtime, 1))
        await locks_awaited(runtime)
        await execute(session, "update entries set project = 'MOVED'")
    assert (await waiting).changed == 0


async def test_it_is_started_for_contracts_that_have_work_and_only_once_for_a_call(backlog: Api) -> None:
    runtime = backlog.runtime
    async with runtime.database.transaction() as session:
        assert await service.start_for(session, runtime.context(), [CONTRACT]) is None
    await approve(runtime, entry(1))
    await all_classes(runtime)
    await dearer(runtime)
    async with runtime.database.transaction() as session:
        started = await service.start_for(session, runtime.context(), [CONTRACT])
    assert started is not None
    await run_jobs(backlog)
    assert [(item["contract_line_id"], item["amount"]) for item in await items(runtime)] == [(LINE, 1760)]
