"""The worked ledger numbers of the billing domain, row by row: cost 100 an hour, sales 200 an hour, 8 hours.

Each case is a table that a billing person can read beside the specification (§3.1 approve, §3.3 confirm).
"""

from collections.abc import Sequence
from typing import Any

import pytest

from billing_backlog.worker import HANDLERS
from tests.billing_backlog.scene import (
    CONTRACT,
    Terms,
    approve,
    claimed,
    confirmation,
    entry,
    firm,
    items,
    rows,
    violations,
)
from tests.conftest import MakeApi, MakeRuntime
from tests.support.events import deliver
from tests.support.rows import POSTED

# (type, billing type, quantity, amount, status); a dash stands for nothing.
Row = tuple[str, str, str, str, str]
LEDGER = f"select type, billing_type, quantity, amount, billing_status from actuals order by {POSTED}"


def shown(found: Sequence[dict[str, Any]]) -> list[Row]:
    return [
        (
            row["type"],
            row["billing_type"] or "-",
            format(row["quantity"].normalize(), "f"),
            format(row["amount"].normalize(), "f") if row["amount"] is not None else "-",
            row["billing_status"] or "-",
        )
        for row in found
    ]


APPROVE: dict[str, tuple[dict[str, Any], list[Row]]] = {
    "time and material, billable = submitted": (
        {},
        [("cost", "chargeable", "8", "800", "-"), ("unbilled_sales", "chargeable", "8", "1600", "unbilled")],
    ),
    "the approver sets 6 billable": (
        {"billable_quantity": "6"},
        [
            ("cost", "chargeable", "8", "800", "-"),
            ("unbilled_sales", "chargeable", "6", "1200", "unbilled"),
            ("unbilled_sales", "non_chargeable", "2", "400", "unbilled"),
        ],
    ),
    "the approver sets 10 billable": (
        {"billable_quantity": "10"},
        [("cost", "chargeable", "8", "800", "-"), ("unbilled_sales", "chargeable", "10", "2000", "unbilled")],
    ),
    "the approver sets 0 billable": (
        {"billable_quantity": "0"},
        [("cost", "chargeable", "8", "800", "-"), ("unbilled_sales", "non_chargeable", "8", "1600", "unbilled")],
    ),
    "approved as non-chargeable": (
        {"billing_type": "non_chargeable"},
        [("cost", "non_chargeable", "8", "800", "-"), ("unbilled_sales", "non_chargeable", "8", "1600", "unbilled")],
    ),
    "approved as complimentary": (
        {"billing_type": "complimentary"},
        [("cost", "complimentary", "8", "800", "-"), ("unbilled_sales", "complimentary", "8", "1600", "unbilled")],
    ),
    "nothing matches: internal or pre-sales work": (
        {"project": "INTERNAL"},
        [("cost", "-", "8", "800", "cost_only")],
    ),
    "no sales rate for the role": (
        {"role": "poet"},
        [("cost", "chargeable", "8", "-", "-"), ("unbilled_sales", "chargeable", "8", "-", "unbilled")],
    ),
}


@pytest.mark.parametrize("case", APPROVE)
async def test_approve(case: str, make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime("billing-backlog")
    await firm(runtime)
    changes, expected = APPROVE[case]
    await approve(runtime, entry(**changes))
    assert shown(await rows(runtime, LEDGER)) == expected
    assert await violations(runtime) == []


@pytest.mark.parametrize(
    ("hours", "price", "currency", "amount"),
    [
        ("0.01", "200", "EUR", "2"),
        ("7.77", "33.3333", "EUR", "259"),
        ("0.35", "0.1", "EUR", "0.04"),
        ("1.5", "333", "JPY", "500"),
        ("0.33", "10.01", "KWD", "3.303"),
    ],
)
async def test_amounts_are_rounded_once_half_up(
    hours: str, price: str, currency: str, amount: str, make_runtime: MakeRuntime
) -> None:
    runtime = await make_runtime("billing-backlog")
    await firm(runtime, Terms(sales_price=price, currency=currency))
    await approve(runtime, entry(quantity=hours))
    unbilled = [row for row in shown(await rows(runtime, LEDGER)) if row[0] == "unbilled_sales"]
    assert unbilled == [("unbilled_sales", "chargeable", hours, amount, "unbilled")]


CONFIRM: dict[str, tuple[dict[str, Any], list[Row]]] = {
    "unchanged": (
        {},
        [
            ("cost", "chargeable", "8", "800", "-"),
            ("unbilled_sales", "chargeable", "8", "1600", "posted"),
            ("unbilled_sales", "chargeable", "-8", "-1600", "posted"),
            ("billed_sales", "chargeable", "8", "1600", "posted"),
        ],
    ),
    "unbilled row already non-chargeable, unchanged": (
        {"billing_type": "non_chargeable"},
        [
            ("cost", "non_chargeable", "8", "800", "-"),
            ("unbilled_sales", "non_chargeable", "8", "1600", "posted"),
            ("unbilled_sales", "non_chargeable", "-8", "-1600", "posted"),
            ("billed_sales", "non_chargeable", "8", "1600", "posted"),
        ],
    ),
    "unbilled row already complimentary, unchanged": (
        {"billing_type": "complimentary"},
        [
            ("cost", "complimentary", "8", "800", "-"),
            ("unbilled_sales", "complimentary", "8", "1600", "posted"),
            ("unbilled_sales", "complimentary", "-8", "-1600", "posted"),
            ("billed_sales", "complimentary", "8", "1600", "posted"),
        ],
    ),
}


@pytest.mark.parametrize("case", CONFIRM)
async def test_confirm(case: str, api: MakeApi) -> None:
    backlog = await api("billing-backlog")
    await firm(backlog.runtime)
    changes, expected = CONFIRM[case]
    await approve(backlog.runtime, entry(**changes))
    ready = {"ids": [str(item["id"]) for item in await items(backlog.runtime)]}
    assert (await backlog.as_("biller").post("/v1/backlog/mark-ready", json=ready)).json()["changed"] == 1
    run = await backlog.as_("biller").post(f"/v1/contracts/{CONTRACT}/create-invoice", json={})
    assert run.status_code == 202
    before = shown(await rows(backlog.runtime, LEDGER))
    assert [row[:4] for row in before] == [row[:4] for row in expected[:2]], "drafting writes no ledger row"
    await deliver(backlog.runtime, HANDLERS, *confirmation(await claimed(backlog.runtime)))
    assert shown(await rows(backlog.runtime, LEDGER)) == expected
    assert await items(backlog.runtime) == []
    assert await violations(backlog.runtime) == []
