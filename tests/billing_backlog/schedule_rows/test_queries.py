"""`schedule_missing`: no run that is planned will take the item."""

from datetime import date
from typing import Any

import pytest

from proforma.runtime import Runtime
from tests.billing_backlog.masters import Json, Masters
from tests.billing_backlog.scene import CONTRACT, LINE, approve, entry, firm
from tests.support.rows import change

DAY = date(2026, 3, 10)


async def schedule(desk: Masters, line_id: Any, *rows: tuple[str, str]) -> None:
    sent = [{"run_date": run_date, "cut_off": cut_off} for run_date, cut_off in rows]
    answer = await desk.biller.post("/v1/invoice-schedules", json={"contract_line_id": str(line_id), "rows": sent})
    assert answer.status_code == 201, answer.text


async def missing(desk: Masters, path: str) -> bool:
    (item,) = (await desk.biller.get(path)).json()["items"]
    return "schedule_missing" in item["reasons"]


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([], True),
        ([("2026-03-11", "2026-03-10")], False),
        ([("2026-03-11", "2026-03-09")], True),
        ([("2026-03-11", "2026-03-09"), ("2026-04-01", "2026-03-31")], False),
    ],
)
async def test_work_needs_a_cut_off_that_reaches_its_day(
    runtime: Runtime, desk: Masters, rows: list[tuple[str, str]], wanted: bool
) -> None:
    await firm(runtime)
    await approve(runtime, entry(1, date=DAY))
    if rows:
        await schedule(desk, LINE, *rows)
    assert await missing(desk, "/v1/backlog") is wanted
    filtered = await desk.biller.get("/v1/backlog", params={"reason": "schedule_missing", "contract_id": str(CONTRACT)})
    assert len(filtered.json()["items"]) == wanted


@pytest.mark.parametrize(("run_date", "wanted"), [("2026-03-01", True), ("2026-03-02", False)])
async def test_a_run_from_today_on(runtime: Runtime, desk: Masters, run_date: str, wanted: bool) -> None:
    """Today is the second of March: a row of an earlier day has had its day."""
    await firm(runtime)
    await approve(runtime, entry(1))
    await schedule(desk, LINE, (run_date, "2026-02-28"))
    assert await missing(desk, "/v1/backlog") is wanted


async def test_what_ran_takes_nothing_more_and_drafts_wait_for_something_else(runtime: Runtime, desk: Masters) -> None:
    await firm(runtime)
    await approve(runtime, entry(1))
    await schedule(desk, LINE, ("2026-03-02", "2026-03-01"))
    await change(runtime, "update schedule_rows set status = 'skipped', ran_at = now(), run_id = id")
    assert await missing(desk, "/v1/backlog")
    await change(runtime, "update contracts set status = 'closed'")
    assert not await missing(desk, "/v1/backlog")


async def test_products_and_milestones_go_with_any_run_of_their_contract(runtime: Runtime, desk: Masters) -> None:
    contract, _, (one,) = await desk.fixed_price("1000")
    line: Json = await desk.line(contract, project="OTHER")
    await desk.product(contract)
    assert await missing(desk, "/v1/product-backlog")
    assert await missing(desk, "/v1/milestones"), "its day has passed"
    await schedule(desk, line["id"], ("2026-03-05", "2026-03-04"))
    assert not await missing(desk, "/v1/product-backlog")
    assert not await missing(desk, "/v1/milestones")
    await desk.patch(f"/v1/milestones/{one['id']}", {"date": "2026-04-01"})
    assert not await missing(desk, "/v1/milestones"), "the day itself is a run"
    await change(runtime, "delete from schedule_rows where run_date = '2026-04-01'")
    assert await missing(desk, "/v1/milestones"), "the other run comes before its day"
