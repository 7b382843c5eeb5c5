"""Runs by day, with their totals."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from proforma.clock import SetClock
from proforma.runtime import Runtime
from tests.billing_backlog.masters import Masters, pointers
from tests.billing_backlog.scene import CONTRACT, LINE, claimed, contract, firm, ready, run
from tests.billing_backlog.triggers.calendars import TODAY, ago, come, due, schedule
from tests.support.api import Api
from tests.support.rows import change

URL = "/v1/invoice-run-days"
OTHER_LINE, OTHER_CONTRACT = UUID(int=13), UUID(int=12)
NOTHING = {
    "runs": 0, "claimed": 0, "skipped": 0, "failed": 0, "contracts": 0, "invoices": 0, "items": 0, "amounts": [],
    "left_out": {},
}  # fmt: skip


@pytest.fixture(autouse=True)
async def _ran(runtime: Runtime) -> None:
    """Three days ago a skipped run; today one that claimed two items, one in francs, and one that was skipped."""
    await firm(runtime)
    await contract(runtime, OTHER_CONTRACT, {OTHER_LINE: "P2"})
    await change(runtime, "update contracts set currency = 'CHF' where id = $1", OTHER_CONTRACT)
    third = UUID(int=22)
    await contract(runtime, third, {UUID(int=23): "P3"})
    await schedule(runtime, ago(3), TODAY)
    await schedule(runtime, TODAY, line=OTHER_LINE, contract=OTHER_CONTRACT)
    await schedule(runtime, TODAY, line=UUID(int=23), contract=third)
    await come(runtime, due(ago(3)))
    await ready(runtime, 1, 2)
    await ready(runtime, 3, date=TODAY)
    await ready(runtime, 4, project="P2")
    await come(
        runtime, due(), due(line=OTHER_LINE, contract=OTHER_CONTRACT), due(line=UUID(int=23), contract=third)
    )  # fmt: skip


async def test_a_day_shows_what_its_runs_came_to(runtime: Runtime, desk: Masters) -> None:
    answer = await desk.biller.get(f"{URL}/{TODAY}")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "date": "2026-03-02", "runs": 3, "claimed": 2, "skipped": 1, "failed": 0, "contracts": 3, "invoices": 0,
        "items": 3,
        "amounts": [
            {"currency": "CHF", "items": 1, "amount": "1600.00"}, {"currency": "EUR", "items": 2, "amount": "3200.00"},
        ],
        "left_out": {"after_cut_off": 1},
    }  # fmt: skip
    chunks = await claimed(runtime)
    await change(runtime, "update claims set status = 'drafted', invoice_id = id where id = $1", chunks[0].claim.id)
    await change(runtime, "update claims set status = 'released' where id = $1", chunks[1].claim.id)
    day = (await desk.biller.get(f"{URL}/{TODAY}")).json()
    assert (day["invoices"], day["items"], len(day["amounts"])) == (1, chunks[0].claim.items, 1)


async def test_a_day_without_runs_has_zeros(desk: Masters) -> None:
    assert (await desk.biller.get(f"{URL}/2020-02-29")).json() == {"date": "2020-02-29", **NOTHING}


async def test_days_come_newest_first_by_pages(desk: Masters, runtime: Runtime, clock: SetClock) -> None:
    clock.advance(timedelta(days=2))
    await run(runtime)

    async def days(**query: str) -> list[str]:
        answer = await desk.biller.get(URL, params=query)
        assert answer.status_code == 200, answer.text
        return [one["date"] for one in answer.json()["items"]]

    assert await days() == ["2026-03-04", "2026-03-02", "2026-02-27"]
    assert await days(kind="scheduled") == ["2026-03-02", "2026-02-27"]
    assert await days(contract_id=str(OTHER_CONTRACT)) == ["2026-03-02"]
    assert await days(date_from="2026-02-27", date_to="2026-03-02") == ["2026-03-02", "2026-02-27"]
    assert await days(date_from="2026-02-28", date_to="2026-03-01") == []
    first = (await desk.biller.get(URL, params={"limit": "2"})).json()
    second = (await desk.biller.get(URL, params={"limit": "2", "after": first["next"]})).json()
    assert [one["date"] for one in [*first["items"], *second["items"]]] == await days()
    assert second["next"] is None
    manual = (await desk.biller.get(f"{URL}/2026-03-04", params={"kind": "scheduled"})).json()
    assert manual == {"date": "2026-03-04", **NOTHING}


async def test_bad_queries_and_who_may_read(client: Api) -> None:
    biller = client.as_("biller")
    for query in (
        {"kind": "daily"},
        {"after": "x"},
        {"limit": "0"},
        {"date_from": "2026-03-02", "date_to": str(ago(1))},
    ):
        assert (await biller.get(URL, params=query)).status_code == 422
    assert "/path/date" in pointers(await biller.get(f"{URL}/today"))
    assert (await client.as_("submitter").get(URL)).status_code == 403


async def test_a_run_shows_its_totals(desk: Masters) -> None:
    runs = (await desk.biller.get("/v1/invoice-runs", params={"run_date": str(TODAY)})).json()["items"]
    found = {one["contract_id"]: (one["currency"], one["items"], one["amount"]) for one in runs}
    assert found[str(CONTRACT)] == ("EUR", 2, "3200.00")
    assert found[str(OTHER_CONTRACT)] == ("CHF", 1, "1600.00")
    assert sorted(items for _, items, _ in found.values()) == [0, 1, 2]
    assert date.fromisoformat(runs[0]["run_date"]) == TODAY
    assert str(LINE) in {line["contract_line_id"] for one in runs for line in one["lines"]}
