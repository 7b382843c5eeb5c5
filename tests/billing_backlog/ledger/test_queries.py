"""Summaries: values of fixed prices and products."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.billing_backlog.scene import AT, CONTRACT, LINE, contract, firm
from tests.billing_backlog.terms import fixed_price
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
