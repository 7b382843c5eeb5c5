"""The ledger over HTTP, and under attack: rows, lineage, summary; nothing of it can be changed or deleted."""

from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from billing_backlog.worker import HANDLERS
from tests.billing_backlog.scene import CONTRACT, LINE, approve, claimed, confirmation, entry, firm, ready, run
from tests.conftest import MakeApi
from tests.support.api import Api
from tests.support.databases import Databases
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


FILTERS: list[tuple[dict[str, str], list[int]]] = [
    # The ledger in the order of posting: entry 1's cost, unbilled, reversal, billed; 2's cost, unbilled; and so on.
    ({"type": "cost"}, [0, 4, 6, 8]), ({"class": "time", "type": "billed_sales"}, [3]), ({"class": "expense"}, []),
    ({"billing_type": "chargeable", "type": "cost"}, [0, 4, 6]), ({"cause": "confirm"}, [2, 3]),
    ({"billing_status": "ready"}, [5]), ({"billing_status": "posted"}, [1, 2, 3]),
    ({"billing_status": "cost_only"}, [8]), ({"adjustment": "unadjustable"}, [2]), ({"adjustment": "adjusted"}, []),
    ({"contract_id": str(CONTRACT)}, [0, 1, 2, 3, 4, 5, 6, 7]), ({"contract_line_id": str(CONTRACT)}, []),
    ({"project": "X"}, [8]), ({"entry_id": str(entry(2).id)}, [4, 5]), ({"entry_revision": "1"}, [*range(9)]),
    ({"entry_revision": "2"}, []), ({"currency": "EUR"}, [0, 1, 2, 3, 4, 5, 8]), ({"currency": "USD"}, []),
    ({"quantity": "-8"}, [2]), ({"price": "200"}, [1, 2, 3, 5]), ({"amount": "-1600"}, [2]), ({"tax": "1"}, []),
    ({"date_from": "2026-02-03"}, []), ({"date_to": "2026-02-02", "type": "billed_sales"}, [3]),
    ({"accounting_date_from": "2026-03-03"}, [2, 3]), ({"accounting_date_to": "2026-03-02"}, [0, 1, 4, 5, 6, 7, 8]),
    ({"posted_from": "2026-03-02T09:00:00Z"}, [*range(9)]), ({"posted_from": "2026-03-02T10:00:01+01:00"}, []),
    ({"posted_to": "2026-03-02T08:59:59Z"}, []),
]  # fmt: skip


async def test_every_field_has_its_filter(billed: Api) -> None:
    everything = [row["id"] for row in (await get(billed, "/v1/actuals"))["items"]]
    for query, expected in FILTERS:
        found = [row["id"] for row in (await get(billed, "/v1/actuals", **query))["items"]]
        assert found == [everything[n] for n in expected], query
    for name in ("reverses", "replaces"):
        found = (await get(billed, "/v1/actuals", **{name: everything[1]}))["items"]
        assert [row["id"] for row in found] == [everything[2 if name == "reverses" else 3]]
    sold = await get(billed, f"/v1/actuals/{everything[3]}")
    for name in ("invoice_id", "invoice_detail_id"):
        found = [row["id"] for row in (await get(billed, "/v1/actuals", **{name: sold[name]}))["items"]]
        assert found == (everything[2:4] if name == "invoice_id" else everything[3:4])
    for name, wrong in (("posted_from", "2026-03-02T09:00:00"), ("currency", "euro"), ("quantity", "1.234")):
        assert (await billed.as_("service").get("/v1/actuals", params={name: wrong})).status_code == 422


@pytest.mark.parametrize(
    "attack",
    [
        "update actuals set quantity = 1",
        "update actuals set amount = 0, billing_status = 'posted'",
        "update actuals set invoice_id = null",
        "delete from actuals",
        "truncate actuals",
        "update actuals set reverses = null where reverses is not null",
        "insert into actuals select * from actuals on conflict (id) do update set amount = 0",
        "merge into actuals a using (select 1) x on true when matched then delete",
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


async def test_no_column_of_the_ledger_changes_but_the_two_of_its_status(billed: Api) -> None:
    kept = "select column_name from information_schema.columns where table_name = 'actuals'"
    columns = {row["column_name"] for row in await rows(billed.runtime, kept)} - {"billing_status", "adjustment"}
    assert len(columns) > 30
    for column in columns:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await change(billed.runtime, f"update actuals set {column} = {column}")


async def test_not_even_its_owner_changes_a_row_by_mistake(billed: Api, databases: Databases) -> None:
    """Rights are the first lock, triggers the second: they hold for who has every right."""
    owner = await databases.superuser(billed.runtime.database.url.rpartition("/")[2])
    try:
        for attack in ("update actuals set amount = amount + 1", "delete from actuals", "truncate actuals cascade"):
            with pytest.raises(asyncpg.PostgresError, match="append-only"):
                await owner.execute(attack)
    finally:
        await owner.close()


async def test_the_status_columns_may_change(billed: Api) -> None:
    assert await change(billed.runtime, "update actuals set adjustment = 'adjusted' where type = 'billed_sales'") == 1
