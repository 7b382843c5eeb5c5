"""Milestones and product lines on claims: which are taken, when, and how they come back."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from billing_backlog.contracts.queries import lock_contracts
from billing_backlog.runs.service import RunLine, run_scheduled
from billing_backlog.worker import HANDLERS
from proforma.clock import new_id
from proforma.db import execute
from proforma.events.invoicing import DetailsReleased, InvoiceDiscarded, ReleasedDetail
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json, Masters
from tests.billing_backlog.scene import AT, claimed, violations
from tests.support.events import deliver
from tests.support.rows import locks_awaited, rows

TODAY = date(2026, 3, 2)


async def scheduled(runtime: Runtime, contract: Json, lines: dict[str, date], day: date = TODAY) -> Any:
    async with runtime.database.transaction() as session:
        due = [RunLine(UUID(line), cut_off) for line, cut_off in lines.items()]
        return await run_scheduled(session, runtime.context(), UUID(contract["id"]), day, due)


async def taken(runtime: Runtime) -> list[str]:
    return sorted(str(item.id) for chunk in await claimed(runtime) for item in chunk.items)


async def statuses(desk: Masters, contract: Json) -> list[str]:
    found = (await desk.biller.get("/v1/milestones", params={"contract_id": contract["id"]})).json()["items"]
    return [one["billing_status"] for one in found]


async def test_a_manual_run_takes_what_is_ready_whatever_its_date(runtime: Runtime, desk: Masters) -> None:
    contract, line, (now, waits) = await desk.fixed_price("1000", "500")
    far = await desk.milestone(line, date="2030-01-01", amount="1", description="Last")
    await desk.patch(f"/v1/contract-lines/{line['id']}", {"contracted_amount": "1501"})
    product, other = await desk.product(contract, tax="9.50"), await desk.product(contract)
    assert (await desk.mark("milestones", now, far))["changed"] == 2
    await desk.mark("product-backlog", product)
    run = await desk.invoice(contract, cut_off="2026-01-01")
    assert [one["items"] for one in run["claims"]] == [3]
    (chunk,) = await claimed(runtime)
    shown = {str(item.id): item for item in chunk.items}
    assert set(shown) == {now["id"], far["id"], product["id"]}
    assert (shown[far["id"]].source, shown[far["id"]].item_class, str(shown[far["id"]].contract_line_id)) == (
        "milestone", "milestone", line["id"]
    )  # fmt: skip
    assert shown[far["id"]].external_description == "Last"
    sold = shown[product["id"]]
    assert (sold.source, sold.item_class, sold.product, str(sold.contract_line_id), str(sold.tax)) == (
        "product", "product", "R9", product["id"], "9.50"
    )  # fmt: skip
    kinds = {str(one.id): (one.kind, one.billing_method, one.includes) for one in chunk.lines}
    assert len(chunk.lines) == len(kinds) == 3
    assert kinds[line["id"]] == ("project", "fixed_price", ["time"])
    assert kinds[product["id"]] == kinds[other["id"]] == ("product", None, [])
    assert await statuses(desk, contract) == ["on_invoice", "unbilled", "on_invoice"]
    left = {one["contract_line_id"]: one["left_out"] for one in run["lines"]}
    assert left == {line["id"]: {"not_ready": 1}, product["id"]: {}, other["id"]: {"not_ready": 1}}
    assert waits["id"] not in shown


async def test_a_scheduled_run_takes_products_and_milestones_up_to_its_date(runtime: Runtime, desk: Masters) -> None:
    contract, line, (due, late) = await desk.fixed_price("1000", "500")
    await desk.patch(f"/v1/milestones/{late['id']}", {"date": "2026-03-03"})
    work = await desk.line(contract, project="Q")
    product = await desk.product(contract)
    await desk.mark("milestones", due, late)
    await desk.mark("product-backlog", product)
    outcome = await scheduled(runtime, contract, {work["id"]: date(2026, 3, 1)})
    assert await taken(runtime) == sorted([due["id"], product["id"]])
    assert {str(one) for one in outcome.taken} == {line["id"], product["id"]}
    (run,) = (await desk.biller.get("/v1/invoice-runs")).json()["items"]
    told = {one["contract_line_id"]: (one["items"], one["amount"], one["cut_off"], one["left_out"])
            for one in run["lines"]}  # fmt: skip
    assert told == {
        line["id"]: (1, "1000", "2026-03-02", {"future_dated": 1}),
        work["id"]: (0, "0", "2026-03-01", {}),
        product["id"]: (1, "500.00", "2026-03-02", {}),
    }
    left = (await desk.biller.get(f"/v1/invoice-runs/{run['id']}/left-out")).json()["items"]
    assert [(one["item_id"], one["reason"]) for one in left] == [(late["id"], "future_dated")]


async def test_a_run_of_no_line_takes_them_too(runtime: Runtime, desk: Masters) -> None:
    contract, _, (due,) = await desk.fixed_price("1000")
    await desk.mark("milestones", due)
    await scheduled(runtime, contract, {})
    assert await taken(runtime) == [due["id"]]


async def test_named_items_alone(runtime: Runtime, desk: Masters) -> None:
    contract, _, (one, two) = await desk.fixed_price("1000", "500")
    product = await desk.product(contract)
    await desk.mark("milestones", one, two)
    await desk.mark("product-backlog", product)
    await desk.invoice(contract, item_ids=[two["id"]])
    assert await taken(runtime) == [two["id"]]


async def test_another_contracts_are_not_taken(runtime: Runtime, desk: Masters) -> None:
    contract, _ = await desk.active()
    other, _ = await desk.active(project="Q")
    product = await desk.product(other)
    await desk.mark("product-backlog", product)
    assert (await desk.invoice(contract))["status"] == "skipped"
    assert (await desk.invoice(contract, item_ids=[product["id"]]))["status"] == "skipped"
    assert await taken(runtime) == []


async def test_terms_of_work_do_not_hold_back_agreed_sums(runtime: Runtime, desk: Masters) -> None:
    contract, line, (due,) = await desk.fixed_price("1000")
    product = await desk.product(contract)
    await desk.patch(f"/v1/contract-lines/{line['id']}", {"billing_start": "2027-01-01"})
    await desk.patch(f"/v1/contracts/{contract['id']}", {"end_date": "2026-01-01"})
    await desk.mark("milestones", due)
    await desk.mark("product-backlog", product)
    assert (await desk.biller.get(f"/v1/milestones/{due['id']}")).json()["reasons"] == ["schedule_missing"]
    await desk.invoice(contract)
    assert await taken(runtime) == sorted([due["id"], product["id"]])


async def test_milestones_that_no_longer_add_up_are_left_and_the_rest_is_taken(runtime: Runtime, desk: Masters) -> None:
    contract, line, (one, two) = await desk.fixed_price("1000", "500")
    product = await desk.product(contract)
    await desk.mark("milestones", one)
    await desk.mark("product-backlog", product)
    assert (await desk.delete(f"/v1/milestones/{two['id']}")).status_code == 204
    shown = (await desk.biller.get(f"/v1/milestones/{one['id']}")).json()
    assert shown["reasons"][0] == "milestones_do_not_add_up"
    run = await desk.invoice(contract)
    assert await taken(runtime) == [product["id"]]
    left = {told["contract_line_id"]: told["left_out"] for told in run["lines"]}
    assert left[line["id"]] == {"milestones_do_not_add_up": 1}
    found = (await desk.biller.get(f"/v1/invoice-runs/{run['id']}/left-out")).json()["items"]
    assert [(told["item_id"], told["reason"]) for told in found] == [(one["id"], "milestones_do_not_add_up")]
    assert (await scheduled(runtime, contract, {})).claim_id is None
    assert (await desk.invoice(contract, item_ids=[one["id"]]))["status"] == "skipped"


async def test_the_sum_is_looked_at_behind_the_lock(runtime: Runtime, desk: Masters) -> None:
    contract, _, (one, _) = await desk.fixed_price("1000", "500")
    await desk.mark("milestones", one)
    async with runtime.database.transaction() as session:
        await lock_contracts(session, [UUID(contract["id"])])
        run = asyncio.create_task(desk.invoice(contract))
        await locks_awaited(runtime)
        await execute(session, "update milestones set amount = 499 where amount = 500")
    assert (await run)["status"] == "skipped"


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("closed", [True, False])
async def test_what_is_released_is_ready_again_or_goes_with_its_contract(
    runtime: Runtime, desk: Masters, whole: bool, closed: bool
) -> None:
    contract, _, (due,) = await desk.fixed_price("1000")
    product = await desk.product(contract)
    await desk.mark("milestones", due)
    await desk.mark("product-backlog", product)
    claim = UUID((await desk.invoice(contract))["claims"][0]["id"])
    if closed:
        assert (await desk.verb(contract["id"], "close")).status_code == 200
        assert await statuses(desk, contract) == ["on_invoice"], "what is on a draft can still be confirmed"
    header: Json = {"invoice_id": claim, "contract_id": UUID(contract["id"]), "by": "b", "at": AT}
    details = [ReleasedDetail(item_id=UUID(one["id"]), claim_id=claim) for one in (due, product)]
    gone = [ReleasedDetail(item_id=one.item_id, claim_id=new_id()) for one in details]
    event: Any = InvoiceDiscarded(**header, claims=[claim]) if whole else DetailsReleased(**header, details=details)
    await deliver(runtime, HANDLERS, DetailsReleased(**header, details=gone))
    assert await statuses(desk, contract) == ["on_invoice"], "another claim's release does nothing"
    await deliver(runtime, HANDLERS, event, event)
    assert await statuses(desk, contract) == ["canceled" if closed else "ready"]
    shown = (await desk.biller.get(f"/v1/contract-lines/{product['id']}")).json()
    assert shown["billing_status"] == ("canceled" if closed else "ready")
    assert await rows(runtime, "select * from actuals") == []
    assert await violations(runtime) == []


async def test_two_runs_at_once_take_each_once(runtime: Runtime, desk: Masters) -> None:
    contract, _, made = await desk.fixed_price(*["10"] * 20)
    products = [await desk.product(contract) for _ in range(3)]
    await desk.mark("milestones", *made)
    await desk.mark("product-backlog", *products)
    runs = await asyncio.gather(*(desk.invoice(contract) for _ in range(3)))
    assert sorted(run["status"] for run in runs) == ["claimed", "skipped", "skipped"]
    assert await taken(runtime) == sorted(one["id"] for one in [*made, *products])
