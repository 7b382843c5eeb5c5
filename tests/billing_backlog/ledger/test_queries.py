"""Summaries and lineage: values of fixed prices and products; from any row over every cause and back."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.billing_backlog.cancellations.questions import ask, asked
from tests.billing_backlog.reevaluation.steps import dearer, job
from tests.billing_backlog.scene import AT, CONTRACT, LINE, approve, contract, entry, firm
from tests.billing_backlog.terms import all_classes, fixed_price
from tests.support.api import Api
from tests.support.rows import change

PRODUCT_LINE = """
insert into contract_lines (id, contract_id, name, kind, product, quantity, unit, price, amount, tax, version,
  created_at, created_by, updated_at)
values ($1, $2, 'Boxes', 'product', 'BOX', 10, 'each', 50, 500, 0, 1, $3, 't', $3)
"""
BILLED = """
insert into actuals (id, type, class, billing_type, cause, date, accounting_date, posted_at, posted_by, quantity, unit,
  price, amount, tax, currency, contract_id, contract_line_id, billing_status)
values (gen_random_uuid(), 'billed_sales', 'milestone', 'chargeable', 'confirm', '2026-02-02', '2026-02-02', $3, 't', 1,
  'each', 2000, 2000, 0, 'EUR', $2, $1, 'posted')
"""
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


async def test_a_fixed_price_and_a_product_have_a_value_and_what_remains_of_it(backlog: Api) -> None:
    await fixed_price(backlog.runtime, amount="5000")
    await contract(backlog.runtime, UUID(int=50), {UUID(int=51): "P2"})
    await change(backlog.runtime, PRODUCT_LINE, UUID(int=53), CONTRACT, AT)
    await change(backlog.runtime, BILLED, LINE, CONTRACT, AT)
    summary = await get(backlog, f"/v1/contracts/{CONTRACT}/summary")
    names = ("contract_value", "remaining", "billed")
    values = {line["contract_line_id"]: [int(Decimal(line[name])) for name in names] for line in summary["lines"]}
    assert values == {str(LINE): [5000, 3000, 2000], str(UUID(int=53)): [500, 500, 0]}
    assert [int(Decimal(summary["total"][name])) for name in names] == [5500, 3500, 2000]
    other = (await get(backlog, f"/v1/contracts/{UUID(int=50)}/summary"))["total"]
    assert (other["contract_value"], other["remaining"]) == (None, None)


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
