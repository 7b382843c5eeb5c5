"""The ledger over HTTP, and under attack: rows, lineage, summary; nothing of it can be changed or deleted."""

from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from billing_backlog.worker import HANDLERS
from tests.billing_backlog.scene import CONTRACT, LINE, approve, claimed, confirmation, entry, firm, ready, run
from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.events import deliver
from tests.support.rows import change, rows


@pytest.fixture
async def billed(api: MakeApi) -> Api:
    """Entry 1 is billed, entry 2 is ready, entry 3 has no price, entry 4 no line."""
    backlog = await api("billing-backlog")
    await firm(backlog.runtime)
    await ready(backlog.runtime, 1)
    await run(backlog.runtime)
    await deliver(backlog.runtime, HANDLERS, *confirmation(await claimed(backlog.runtime)))
    await ready(backlog.runtime, 2)
    await approve(backlog.runtime, entry(3, role="poet"), entry(4, project="X"))
    return backlog


async def get(backlog: Api, path: str, **query: Any) -> Any:
    answer = await backlog.as_("service").get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_lineage_walks_from_any_row_to_the_invoice_and_back(billed: Api) -> None:
    mine = (await get(billed, "/v1/actuals", entry_id=str(entry(1).id)))["items"]
    assert [(row["type"], row["quantity"]) for row in mine] == [
        ("cost", "8"), ("unbilled_sales", "8"), ("unbilled_sales", "-8"), ("billed_sales", "8"),
    ]  # fmt: skip
    cost, unbilled, reversal, sold = mine
    assert reversal["reverses"] == sold["replaces"] == unbilled["id"]
    assert sold["invoice_id"] is not None
    for row in (cost, unbilled, reversal, sold):
        lineage = await get(billed, f"/v1/actuals/{row['id']}/lineage")
        assert [one["id"] for one in lineage["actuals"]] == [one["id"] for one in mine]
        assert lineage["invoice_ids"] == [sold["invoice_id"]]
        assert lineage["entry_id"] == str(entry(1).id)
    assert (await billed.as_("service").get(f"/v1/actuals/{CONTRACT}/lineage")).status_code == 404


async def test_posted_items_are_found_under_the_same_id(billed: Api) -> None:
    (item,) = (await get(billed, "/v1/backlog", entry_id=str(entry(1).id)))["items"]
    assert (item["billing_status"], item["reasons"]) == ("posted", ["posted"])
    assert (await get(billed, "/v1/actuals", type="billed_sales"))["items"][0]["replaces"] == item["id"]
    assert (await get(billed, f"/v1/backlog/{item['id']}"))["invoice_id"] == item["invoice_id"]
    assert [one["id"] for one in (await get(billed, "/v1/backlog", billing_status="posted"))["items"]] == [item["id"]]
    refused = await billed.as_("biller").post("/v1/backlog/mark-ready", json={"ids": [item["id"]]})
    assert refused.json()["refused"][0]["reason"] == "posted"


async def test_the_summary_adds_up(billed: Api) -> None:
    summary = await get(billed, f"/v1/contracts/{CONTRACT}/summary")
    assert [line["contract_line_id"] for line in summary["lines"]] == [str(LINE)]
    total = {name: summary["total"][name] for name in ("cost", "unbilled", "ready", "on_draft", "billed")}
    assert {name: Decimal(value) for name, value in total.items()} == {
        "cost": 1600, "unbilled": 0, "ready": 1600, "on_draft": 0, "billed": 1600,
    }  # fmt: skip
    assert summary["total"]["unpriced_items"] == 1
    assert (summary["total"]["contract_value"], summary["total"]["remaining"]) == (None, None)


@pytest.mark.parametrize(
    "attack",
    [
        "update actuals set quantity = 1",
        "update actuals set amount = 0, billing_status = 'posted'",
        "update actuals set invoice_id = null",
        "delete from actuals",
        "truncate actuals",
        "alter table actuals disable trigger all",
        "drop table actuals",
        "delete from entries",
        "delete from postings",
    ],
)
async def test_the_services_own_login_cannot_change_the_ledger(billed: Api, attack: str) -> None:
    before = await rows(billed.runtime, "select * from actuals order by id")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await change(billed.runtime, attack)
    assert await rows(billed.runtime, "select * from actuals order by id") == before


async def test_the_status_columns_may_change(billed: Api) -> None:
    assert await change(billed.runtime, "update actuals set adjustment = 'adjusted' where type = 'billed_sales'") == 1
