"""The tables of an approval (domain §3.1) for every class, and for a fixed price; time is in the ledger's own tests."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from proforma.runtime import Runtime
from tests.billing_backlog.scene import CONTRACT, LINE, SALES, approve, entry, firm, items, violations
from tests.billing_backlog.terms import all_classes, exchange, fixed_price, rate
from tests.support.rows import change, rows, value

# (type, billing type, quantity, amount, currency)
LEDGER = "select type, billing_type, quantity, amount, currency from actuals order by id"
EXPENSE = {"class": "expense", "role": None, "category": "travel", "quantity": "1", "unit": "each", "unit_cost": "250"}
MATERIAL = {"class": "material", "role": None, "product": "CABLE", "quantity": "2", "unit": "each", "unit_cost": "100"}
IN_EUR = {"currency": "EUR"}


@pytest.fixture
async def runtime(runtime: Runtime) -> Runtime:
    await firm(runtime)
    await all_classes(runtime)
    return runtime


async def shown(runtime: Runtime) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in await rows(runtime, LEDGER)]


CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], int]] = {
    "expense 250, markup 10 %": ("expense", {"category": "travel", "percent": "10"}, EXPENSE, 275),
    "expense 250, at cost": ("expense", {"category": "travel"}, EXPENSE, 250),
    "expense 250, any category at cost": ("expense", {}, EXPENSE, 250),
    "material 2 x cost 100, per unit 200": ("material", {"product": "CABLE", "price": "200"}, MATERIAL, 400),
    "written-in material, any product": (
        "material", {"percent": "50"}, {**MATERIAL, "product": None, "write_in": "a cable"}, 300,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_approve(case: str, runtime: Runtime) -> None:
    item_class, terms, work, amount = CASES[case]
    rate_id = await rate(runtime, item_class, **terms)
    await approve(runtime, entry(1, **work, **IN_EUR))
    cost = Decimal(work["quantity"]) * Decimal(work["unit_cost"])
    quantity = Decimal(work["quantity"])
    assert await shown(runtime) == [
        ("cost", "chargeable", quantity, cost, "EUR"),
        ("unbilled_sales", "chargeable", quantity, amount, "EUR"),
    ]
    assert await value(runtime, "select rate_id from actuals where type = 'unbilled_sales'") == rate_id
    assert await violations(runtime) == []


@pytest.mark.parametrize("work", [EXPENSE, MATERIAL])
async def test_a_fixed_price_line_has_the_cost_and_no_item(work: dict[str, Any], runtime: Runtime) -> None:
    await fixed_price(runtime)
    await approve(runtime, entry(1), entry(2, **work, **IN_EUR))
    assert [row[:3] for row in await shown(runtime)] == [("cost", None, 8), ("cost", None, Decimal(work["quantity"]))]
    where = await rows(runtime, "select distinct contract_id, contract_line_id, billing_status from actuals")
    assert where == [{"contract_id": CONTRACT, "contract_line_id": LINE, "billing_status": None}]
    assert await items(runtime) == []
    assert await violations(runtime) == []


async def test_work_of_a_role_that_the_line_does_not_charge(runtime: Runtime) -> None:
    await change(runtime, "update contract_lines set non_chargeable_roles = '{dev}'")
    await approve(runtime, entry(1), entry(2, billing_type="chargeable", date=date(2026, 2, 3)))
    assert await shown(runtime) == [
        (row_type, billing_type, 8, amount, "EUR")
        for billing_type in ("non_chargeable", "chargeable")
        for row_type, amount in (("cost", 800), ("unbilled_sales", 1600))
    ]


CABLE = {**MATERIAL, "task": "T1"}
NOT_CHARGED: dict[str, tuple[str, dict[str, Any], str, list[int]]] = {
    # what is not charged on the line, the work, its billing type, the amounts of its two rows
    "the role": ("roles = '{dev}'", {}, "non_chargeable", [800, 1600]),
    "another role": ("roles = '{boss}'", {}, "chargeable", [800, 1600]),
    "the category": ("categories = '{travel}'", EXPENSE, "non_chargeable", [250, 250]),
    "a category is nothing to time": ("categories = '{dev}'", {}, "chargeable", [800, 1600]),
    "a role is nothing to an expense": ("roles = '{travel}'", EXPENSE, "chargeable", [250, 250]),
    "the task, of time": ("tasks = '{T1}'", {"task": "T1"}, "non_chargeable", [800, 1600]),
    "the task, of an expense": ("tasks = '{T1}'", {**EXPENSE, "task": "T1"}, "non_chargeable", [250, 250]),
    "the task, of material": ("tasks = '{T1}'", CABLE, "non_chargeable", [200, 200]),
    "another task": ("tasks = '{T2}'", {"task": "T1"}, "chargeable", [800, 1600]),
    "the approver wins": ("tasks = '{T1}'", {"task": "T1", "billing_type": "complimentary"}, "complimentary",
                          [800, 1600]),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_CHARGED)
async def test_role_category_and_task_that_the_line_does_not_charge(case: str, runtime: Runtime) -> None:
    """Domain §1.3, chargeability: role of time, category of expenses, task of every class; the approver before all."""
    terms, work, billing_type, amounts = NOT_CHARGED[case]
    for item_class in ("expense", "material"):
        await rate(runtime, item_class)
    await change(runtime, f"update contract_lines set non_chargeable_{terms}")
    await approve(runtime, entry(1, **({**work, **IN_EUR} if "unit_cost" in work else work)))
    quantity = Decimal(str(work.get("quantity", 8)))
    assert await shown(runtime) == [
        (row_type, billing_type, quantity, amount, "EUR")
        for row_type, amount in zip(("cost", "unbilled_sales"), amounts, strict=True)
    ]
    assert await violations(runtime) == []


async def test_an_expense_in_another_currency_takes_the_newest_rate_on_or_before_its_day(runtime: Runtime) -> None:
    await rate(runtime, "expense", percent="10")
    await exchange(runtime, "USD", "EUR", date(2026, 1, 1), "0.5")
    used = await exchange(runtime, "USD", "EUR", date(2026, 2, 2), "0.9")
    await exchange(runtime, "USD", "EUR", date(2026, 2, 3), "0.7")
    await approve(runtime, entry(1, **EXPENSE, currency="USD"))
    assert await shown(runtime) == [
        ("cost", "chargeable", 1, 250, "USD"),
        ("unbilled_sales", "chargeable", 1, Decimal("247.5"), "EUR"),
    ]
    assert await value(runtime, "select exchange_rate_id from actuals where type = 'unbilled_sales'") == used


@pytest.mark.parametrize("missing", ["no_price", "no_exchange_rate"])
async def test_what_cannot_be_priced_says_why_and_is_never_zero(missing: str, runtime: Runtime) -> None:
    if missing == "no_exchange_rate":
        await rate(runtime, "expense")
    await exchange(runtime, "USD", "EUR", date(2026, 2, 3), "0.9")
    await approve(runtime, entry(1, **EXPENSE, currency="USD"))
    (item,) = await items(runtime)
    assert (item["unpriced"], item["price"], item["amount"]) == (missing, None, None)
    assert item["has_cost_price"]
    kept = await value(runtime, "select rate_id is not null from actuals where type = 'unbilled_sales'")
    assert kept == (missing == "no_exchange_rate")


async def test_time_at_cost_starts_from_the_cost_rate_of_the_resource(runtime: Runtime) -> None:
    await change(runtime, "delete from rates where price_list_id = $1", SALES)
    cost_list = await value(runtime, "select id from price_lists where kind = 'cost'")
    await rate(runtime, "time", cost_list, role="dev", resource="ann", price="120")
    await rate(runtime, "time", role="dev", percent="50")
    await approve(runtime, entry(1), entry(2, resource="bob", date=date(2026, 2, 3)))
    assert [row[3] for row in await shown(runtime)] == [960, 1440, 800, 1200]


async def test_an_hour_is_not_a_day(runtime: Runtime) -> None:
    await rate(runtime, "expense", unit="km", price="1")
    await approve(runtime, entry(1, **EXPENSE, **IN_EUR), entry(2, **EXPENSE | {"unit": "km"}, **IN_EUR))
    priced = await rows(runtime, "select unit, amount from items order by unit")
    assert priced == [{"unit": "each", "amount": None}, {"unit": "km", "amount": 1}]


async def test_the_approval_is_kept_as_it_came(runtime: Runtime) -> None:
    sent = entry(1, **EXPENSE, **IN_EUR)
    await approve(runtime, sent)
    kept = await value(runtime, "select content from entries")
    assert type(sent).model_validate_json(kept) == sent
