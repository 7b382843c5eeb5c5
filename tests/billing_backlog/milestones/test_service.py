"""Moving milestones between unbilled and ready, and what happens at once with a claim."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_backlog.agreed_items import service as agreed_items
from billing_backlog.agreed_items.queries import ADDS_UP
from billing_backlog.contracts.queries import lock_contracts
from billing_backlog.worker import JOBS
from proforma.clock import new_id
from proforma.db import execute
from proforma.jobs import JobRunner
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Masters
from tests.billing_backlog.milestones.standings import put_on_invoice
from tests.billing_backlog.scene import claimed
from tests.support.rows import locks_awaited, rows

URL = "/v1/milestones"


async def statuses_of(desk: Masters) -> list[str]:
    found = (await desk.biller.get(URL)).json()["items"]
    return [one["billing_status"] for one in found]


@pytest.mark.parametrize(
    ("before", "verb", "outcome", "after"),
    [
        ("unbilled", "mark-ready", "changed", "ready"),
        ("ready", "mark-ready", "unchanged", "ready"),
        ("on_invoice", "mark-ready", "on_invoice", "on_invoice"),
        ("posted", "mark-ready", "posted", "posted"),
        ("canceled", "mark-ready", "canceled", "canceled"),
        ("unbilled", "unmark-ready", "unchanged", "unbilled"),
        ("ready", "unmark-ready", "changed", "unbilled"),
        ("on_invoice", "unmark-ready", "on_invoice", "on_invoice"),
        ("posted", "unmark-ready", "posted", "posted"),
        ("canceled", "unmark-ready", "canceled", "canceled"),
    ],
)
async def test_every_move(runtime: Runtime, desk: Masters, before: str, verb: str, outcome: str, after: str) -> None:
    contract, _, (made,) = await desk.fixed_price("1000")
    invoice = None
    if before == "ready":
        await desk.mark("milestones", made)
    elif before == "canceled":
        await desk.verb(contract["id"], "close")
    elif before != "unbilled":
        invoice = await put_on_invoice(runtime, desk, contract, made, posted=before == "posted")
    assert await statuses_of(desk) == [before]
    told = await desk.mark("milestones", made, verb=verb)
    if outcome in ("changed", "unchanged"):
        assert (told[outcome], told["refused"]) == (1, [])
    else:
        (refused,) = told["refused"]
        assert (refused["id"], refused["reason"]) == (made["id"], outcome)
        assert str(invoice) in refused["detail"] or invoice is None
    assert await statuses_of(desk) == [after]


async def test_the_sum_comes_first(desk: Masters) -> None:
    _, line, (one, two) = await desk.fixed_price("1000", "500", contracted="1500.01")
    told = await desk.mark("milestones", one, two)
    assert [refused["reason"] for refused in told["refused"]] == ["milestones_do_not_add_up"] * 2
    shown = (await desk.biller.get(f"{URL}/{one['id']}")).json()
    assert shown["reasons"][:2] == ["not_ready", "milestones_do_not_add_up"]
    await desk.milestone(line, amount="0.01")
    assert (await desk.mark("milestones", one, two))["changed"] == 2
    assert (await desk.mark("milestones", one, two))["unchanged"] == 2
    # Ready once, they can be taken back whatever the sum is.
    await desk.milestone(line, amount="0.01")
    assert (await desk.mark("milestones", one, verb="unmark-ready"))["changed"] == 1


async def test_one_list_does_not_move_what_is_on_another(desk: Masters) -> None:
    contract, _, (milestone,) = await desk.fixed_price("1000")
    product = await desk.product(contract)
    for noun, thing in (("backlog", milestone), ("backlog", product), ("milestones", product),
                        ("product-backlog", milestone), ("milestones", {"id": str(uuid4())})):  # fmt: skip
        told = await desk.mark(noun, thing)
        assert (told["changed"], [one["reason"] for one in told["refused"]]) == (0, ["not_found"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.integers(1, 10**7), min_size=1, max_size=6), whole=st.integers(1, 10**7), same=st.booleans())
async def test_the_database_adds_as_decimals_do(runtime: Runtime, parts: list[int], whole: int, same: bool) -> None:
    amounts = [Decimal(part).scaleb(-2) for part in parts]
    contracted = sum(amounts, Decimal(0)) if same else Decimal(whole).scaleb(-2)
    sql = f"""
    with l as (select 1 as id, $1::numeric as contracted_amount),
         milestones as (select 1 as contract_line_id, unnest($2::numeric[]) as amount)
    select {ADDS_UP} as fits from l"""
    ((found),) = [row["fits"] for row in await rows(runtime, sql, contracted, amounts)]
    assert found == (sum(amounts, Decimal(0)) == contracted)


async def test_a_filter_above_a_thousand_is_a_job_over_milestones_alone(runtime: Runtime, desk: Masters) -> None:
    contract, _, _ = await desk.fixed_price(*["1"] * 3)
    await desk.product(contract)
    for n in range(3):
        line = await desk.line(contract, project=f"P{n}", billing_method="fixed_price", contracted_amount="400")
        body = {"contract_line_id": line["id"], "name": "m", "date": "2026-02-01", "amount": "1"}
        assert (await desk.biller.post(URL, json=[body] * 400)).status_code == 201
    wanted = {"filter": {"contract_id": contract["id"], "billing_status": "unbilled"}}
    answer = await desk.biller.post(f"{URL}/mark-ready", json=wanted)
    assert answer.status_code == 202, answer.text
    assert await JobRunner(runtime.database, runtime.context(), JOBS).run_next(asyncio.Event())
    job = (await desk.biller.get(answer.headers["location"])).json()
    assert (job["kind"], job["status"], job["result"]) == (
        "milestones.mark-ready", "succeeded", {"changed": 1203, "unchanged": 0}
    )  # fmt: skip
    found = await rows(runtime, "select source, billing_status, count(*) as n from items group by 1, 2")
    assert {(row["source"], row["billing_status"], row["n"]) for row in found} == {
        ("milestone", "ready", 1203), ("product", "unbilled", 1)
    }  # fmt: skip


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": [str(uuid4())], "filter": {}}, {"filter": {"class": "x"}}])
async def test_a_bulk_call_names_ids_or_a_filter(desk: Masters, body: Any) -> None:
    assert (await desk.biller.post(f"{URL}/mark-ready", json=body)).status_code == 422
    assert (await desk.biller.post("/v1/product-backlog/mark-ready", json=body)).status_code == 422


async def test_an_edit_and_a_claim_at_once(runtime: Runtime, desk: Masters, monkeypatch: pytest.MonkeyPatch) -> None:
    contract, _, (made,) = await desk.fixed_price("1000")
    await desk.mark("milestones", made)
    held, go_on = asyncio.Event(), asyncio.Event()
    free = agreed_items.refuse_frozen

    async def found_free(*args: Any, **named: Any) -> None:
        await free(*args, **named)
        held.set()
        await go_on.wait()

    monkeypatch.setattr(agreed_items, "refuse_frozen", found_free)
    edit = asyncio.create_task(desk.patch(f"{URL}/{made['id']}", {"tax": "7"}))
    await held.wait()
    run = asyncio.create_task(desk.invoice(contract))
    await locks_awaited(runtime)
    go_on.set()
    assert (await edit).status_code == 200
    assert (await run)["status"] == "claimed"
    ((item,),) = [chunk.items for chunk in await claimed(runtime)]
    assert item.tax == Decimal(7), "what is claimed is what was agreed last"


async def test_an_edit_waits_for_a_claim_and_finds_it_frozen(runtime: Runtime, desk: Masters) -> None:
    contract, _, (made,) = await desk.fixed_price("1000")
    await desk.mark("milestones", made)
    async with runtime.database.transaction() as session:
        await lock_contracts(session, [UUID(contract["id"])])
        edit = asyncio.create_task(desk.patch(f"{URL}/{made['id']}", {"amount": "1"}))
        await locks_awaited(runtime)
        await execute(session, "update items set billing_status = 'on_invoice', claim_id = $1", new_id())
    assert ((await edit).status_code, (await edit).json()["reason"]) == (409, "on_invoice")
