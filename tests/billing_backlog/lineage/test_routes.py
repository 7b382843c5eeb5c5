"""Lineage: from a detail to the entry, who handed it in and approved it, its rates, every reversal; and back."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.billing_backlog.cancellations.questions import ask, asked
from tests.billing_backlog.confirmed import confirm, corrected, drafted, figures
from tests.billing_backlog.reevaluation.steps import dearer, job
from tests.billing_backlog.scene import AT, CONTRACT, LINE, SALES, approve, entry, firm, ready
from tests.billing_backlog.terms import all_classes, exchange, rate
from tests.support.api import Api
from tests.support.rows import change

BY_HAND = """
insert into actuals (id, type, class, billing_type, cause, date, accounting_date, posted_at, posted_by, quantity, unit,
  price, amount, tax, currency, contract_id, contract_line_id, billing_status, replaces)
values ($1, 'billed_sales', 'fee', 'chargeable', 'correct', '2026-02-02', '2026-02-02', $4, 't', 1,
  'each', 300, 300, 0, 'EUR', $2, $3, 'posted', $5)
"""


@pytest.fixture
async def backlog(client: Api) -> Api:
    await firm(client.runtime)
    return client


async def get(backlog: Api, path: str, **query: Any) -> Any:
    answer = await backlog.as_("service").get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_from_a_detail_of_a_corrective_to_everybody_who_had_a_hand_in_it_and_back(backlog: Api) -> None:
    runtime = backlog.runtime
    await all_classes(runtime)
    priced_by = await rate(runtime, "expense", category="travel", percent="10")
    converted = await exchange(runtime, "USD", "EUR", date(2026, 2, 1), "0.5")
    work = {"class": "expense", "role": None, "category": "travel", "unit": "each", "unit_cost": "250"}
    people = {"resource": "ann", "submitted_by": "ada", "approved_by": "boss", "external_id": "T-1"}
    await ready(runtime, 1, **work, currency="USD", billable_quantity="8", **people)
    (detail,) = await drafted(runtime)
    await confirm(runtime, [detail])
    corrective = corrected(detail, figures("6", "137.5"))
    await confirm(runtime, [corrective], n=2, kind="corrective")
    found = (await get(backlog, "/v1/actuals", invoice_detail_id=str(corrective.detail_id)))["items"]
    assert [(row["type"], row["quantity"]) for row in found] == [("billed_sales", "-8"), ("billed_sales", "6")]
    lineage = await get(backlog, f"/v1/actuals/{found[1]['id']}/lineage")
    assert [(row["type"], row["quantity"]) for row in lineage["actuals"]] == [
        ("cost", "8"), ("unbilled_sales", "8"), ("unbilled_sales", "-8"), ("billed_sales", "8"),
        ("billed_sales", "-8"), ("billed_sales", "6"), ("unbilled_sales", "2"),
    ]  # fmt: skip
    assert lineage["entry"] == {
        "id": str(entry(1).id), "revision": 1, "state": "approved", "external_id": "T-1", "resource": "ann",
        "submitted_by": "ada", "approved_by": "boss", "approved_at": AT.isoformat().replace("+00:00", "Z"),
        "quantity": "8", "billable_quantity": "8", "billing_type": None,
    }  # fmt: skip
    (used,) = lineage["rates"]
    assert (used["id"], used["price_list_id"], used["price_list"]) == (str(priced_by), str(SALES), "sales")
    assert (used["class"], used["key"], used["method"], Decimal(used["markup_percent"])) == (
        "expense", "travel", "markup", Decimal(10)
    )  # fmt: skip
    assert [(one["id"], one["from"], Decimal(one["rate"])) for one in lineage["exchange_rates"]] == [
        (str(converted), "USD", Decimal("0.5"))
    ]  # fmt: skip
    assert len(lineage["invoice_ids"]) == 2
    (returned,) = (await get(backlog, "/v1/backlog", contract_id=str(CONTRACT)))["items"]
    back = await get(backlog, f"/v1/actuals/{returned['id']}/lineage")
    assert {name: back[name] for name in back if name != "actual_id"} == {
        name: lineage[name] for name in lineage if name != "actual_id"
    }  # fmt: skip


async def test_lineage_goes_over_cancel_and_re_evaluation(backlog: Api) -> None:
    await approve(backlog.runtime, entry(1))
    await dearer(backlog.runtime)
    await job(backlog)
    await ask(backlog.runtime, asked())
    ids = [row["id"] for row in (await get(backlog, "/v1/actuals", entry_id=str(entry(1).id)))["items"]]
    assert len(ids) == 6
    causes = [row["cause"] for row in (await get(backlog, f"/v1/actuals/{ids[0]}/lineage"))["actuals"]]
    assert sorted(causes) == ["approve", "approve", "cancel", "cancel", "re-price", "re-price"]
    for one in ids[1:]:
        assert {row["id"] for row in (await get(backlog, f"/v1/actuals/{one}/lineage"))["actuals"]} == set(ids)
    assert [row["id"] for row in (await get(backlog, "/v1/actuals", cause="re-price"))["items"]] == ids[2:4]


async def test_lineage_and_filter_of_a_journal_line(backlog: Api) -> None:
    await all_classes(backlog.runtime)
    body = {"contract_line_id": str(LINE), "class": "fee", "date": "2026-02-02", "quantity": "1", "price": "300"}
    biller = backlog.as_("biller")
    line, other = [(await biller.post("/v1/journal-lines", json=body)).json() for _ in range(2)]
    given = {"ids": [line["id"]], "billing_type": "complimentary"}
    await biller.post("/v1/backlog/set-billing-type", json=given)
    found = (await get(backlog, "/v1/actuals", journal_line_id=line["id"]))["items"]
    assert [row["cause"] for row in found] == ["journal", "set-billing-type", "set-billing-type"]
    lineage = await get(backlog, f"/v1/actuals/{found[2]['id']}/lineage")
    assert [row["id"] for row in lineage["actuals"]] == [row["id"] for row in found]
    assert (lineage["journal_line_id"], lineage["entry_id"]) == (line["id"], None)
    alone = await get(backlog, f"/v1/actuals/{other['id']}/lineage")
    assert [row["id"] for row in alone["actuals"]] == [other["id"]]


async def test_lineage_of_a_row_without_a_source_goes_by_what_replaces_it(backlog: Api) -> None:
    first, second = UUID(int=71), UUID(int=72)
    for made, replaced in ((first, None), (second, first)):
        await change(backlog.runtime, BY_HAND, made, CONTRACT, LINE, AT, replaced)
    for one in (first, second):
        found = (await get(backlog, f"/v1/actuals/{one}/lineage"))["actuals"]
        assert [row["id"] for row in found] == [str(first), str(second)]
