"""explain over HTTP: the facts behind each reason, of open and closed items; and the reasons themselves."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from billing_backlog.worker import HANDLERS
from tests.billing_backlog.cancellations.questions import ask, asked
from tests.billing_backlog.reevaluation.steps import dearer, job
from tests.billing_backlog.scene import (
    CONTRACT,
    LINE,
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
)
from tests.billing_backlog.terms import all_classes, exchange, rate
from tests.support.api import Api
from tests.support.events import deliver
from tests.support.rows import change, value

EXPENSE: dict[str, Any] = {
    "class": "expense", "role": None, "category": "travel", "quantity": "1", "unit": "each", "unit_cost": "250",
    "currency": "USD",
}  # fmt: skip


@pytest.fixture
async def backlog(client: Api) -> Api:
    await firm(client.runtime)
    return client


async def explained(backlog: Api, item_id: object) -> dict[str, Any]:
    answer = await backlog.as_("service").get(f"/v1/backlog/{item_id}/explain")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def only(backlog: Api) -> dict[str, Any]:
    """The explanation of the only open item."""
    (item,) = await items(backlog.runtime)
    return await explained(backlog, item["id"])


def reasons(found: dict[str, Any]) -> list[str]:
    return [one["reason"] for one in found["reasons"]]


async def test_work_that_no_line_takes_names_the_lines_and_why(backlog: Api) -> None:
    await change(backlog.runtime, "update contract_lines set tasks = '{T}', valid_to = '2026-01-31'")
    await approve(backlog.runtime, entry(1, task="U"))
    found = await only(backlog)
    assert (reasons(found), found["turn"]) == (["no_contract_line"], "biller")
    (line,) = found["lines"]
    assert line["contract_line_id"] == str(LINE)
    assert line["refuses"] == [
        "task U is not among its tasks", "2026-02-02 is after its last day, 2026-01-31",
    ]  # fmt: skip


async def test_a_line_without_the_class_is_another_reason(backlog: Api) -> None:
    await approve(backlog.runtime, entry(1, **EXPENSE))
    found = await only(backlog)
    assert reasons(found) == ["class_not_included"]
    assert found["lines"][0]["refuses"] == ["class expense is not among time"]
    query = {"reason": "class_not_included", "project": "P1"}
    listed = (await backlog.as_("biller").get("/v1/backlog", params=query)).json()["items"]
    assert [one["id"] for one in listed] == [found["id"]]


async def test_a_contract_that_is_not_active_is_the_managers_turn(backlog: Api) -> None:
    await contract(backlog.runtime, UUID(int=50), {UUID(int=51): "P2"})
    await change(backlog.runtime, "update contracts set status = 'draft' where id = $1", UUID(int=50))
    await approve(backlog.runtime, entry(1, project="P2"))
    found = await only(backlog)
    assert (reasons(found), found["turn"]) == (["no_contract_line", "contract_not_active"], "manager")
    assert found["lines"][0]["refuses"] == ["its contract is draft"]


async def test_without_a_price_the_lists_that_were_searched_are_named(backlog: Api) -> None:
    await change(backlog.runtime, "update price_lists set valid_to = '2026-01-31' where id = $1", SALES)
    await approve(backlog.runtime, entry(1))
    found = await only(backlog)
    assert reasons(found) == ["no_price", "not_ready", "schedule_missing"]
    (searched,) = found["price"]["lists"]
    assert (searched["price_list_id"], searched["holds"], searched["rate_id"]) == (str(SALES), False, None)
    assert (found["price"]["key"], found["price"]["unit"]) == ("dev", "hour")


async def test_without_an_exchange_rate_the_pair_and_day_are_named(backlog: Api) -> None:
    await all_classes(backlog.runtime)
    rate_id = await rate(backlog.runtime, "expense", percent="10")
    await approve(backlog.runtime, entry(1, **EXPENSE))
    found = await only(backlog)
    assert reasons(found) == ["no_exchange_rate", "not_ready", "schedule_missing"]
    assert found["price"]["lists"][0]["rate_id"] == str(rate_id)
    assert found["price"]["exchange"] == {
        "from": "USD", "to": "EUR", "date": "2026-02-02", "exchange_rate_id": None, "rate": None,
    }  # fmt: skip
    refused = await backlog.as_("biller").post("/v1/backlog/mark-ready", json={"ids": [found["id"]]})
    assert refused.json()["refused"][0]["reason"] == "no_exchange_rate"
    used = await exchange(backlog.runtime, "USD", "EUR", date(2026, 2, 1), "0.9")
    assert (await only(backlog))["price"]["exchange"]["exchange_rate_id"] == str(used)


async def test_what_nobody_pays_says_so_and_is_billed_all_the_same(backlog: Api) -> None:
    await ready(backlog.runtime, 1, billing_type="non_chargeable")
    found = await only(backlog)
    assert (reasons(found), found["turn"]) == (["not_chargeable", "schedule_missing"], "biller")
    assert found["price"]["exchange"] is None
    assert (await run(backlog.runtime)).status == "claimed"


async def test_on_an_invoice_and_billed_it_names_claim_and_invoice(backlog: Api) -> None:
    await ready(backlog.runtime, 1)
    await run(backlog.runtime)
    chunks = await claimed(backlog.runtime)
    claim = str(chunks[0].claim.id)
    drafted = await only(backlog)
    assert (reasons(drafted), drafted["invoice"]) == (["on_invoice"], {"claim_id": claim, "invoice_id": None})
    await deliver(backlog.runtime, HANDLERS, *confirmation(chunks))
    posted = await explained(backlog, drafted["id"])
    assert (reasons(posted), posted["turn"]) == (["posted"], "nobody")
    assert (posted["invoice"]["invoice_id"], posted["reversal"]["cause"]) == (claim, "confirm")


async def test_what_was_reversed_says_why_and_what_took_its_place(backlog: Api) -> None:
    await approve(backlog.runtime, entry(1))
    first = (await items(backlog.runtime))[0]["id"]
    await dearer(backlog.runtime)
    await job(backlog)
    second = (await items(backlog.runtime))[0]["id"]
    found = await explained(backlog, first)
    assert (reasons(found), found["reversal"]["cause"]) == (["canceled"], "re-price")
    assert found["reversal"]["replaced_by"] == str(second)
    await ask(backlog.runtime, asked())
    gone = (await explained(backlog, second))["reversal"]
    assert (gone["cause"], gone["replaced_by"]) == ("cancel", None)


async def test_a_journal_line_has_its_own_price(backlog: Api) -> None:
    await all_classes(backlog.runtime)
    body = {"contract_line_id": str(LINE), "class": "fee", "date": "2026-02-02", "quantity": "1", "price": "300"}
    await backlog.as_("biller").post("/v1/journal-lines", json=body)
    found = await only(backlog)
    assert (reasons(found)[0], found["price"], found["contract_id"]) == ("not_ready", None, str(CONTRACT))


async def test_unknown_items_and_roles(backlog: Api) -> None:
    assert (await backlog.as_("service").get(f"/v1/backlog/{uuid4()}/explain")).status_code == 404
    assert (await backlog.as_("submitter").get(f"/v1/backlog/{uuid4()}/explain")).status_code == 403
    assert await value(backlog.runtime, "select count(*) from items") == 0
