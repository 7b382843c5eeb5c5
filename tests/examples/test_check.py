"""The independent figures, and that a wrong invoice is found."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from examples.check import Judged, compare, due, judge, misplaced, round_half_up, total
from examples.plan import Plan, sample_plan

TODAY = date(2026, 4, 1)


def _plan(rows: list[dict[str, str]]) -> Plan:
    line = {"external_id": "l", "project": "P", "tasks": ["build"]}
    contract = {"external_id": "c", "currency": "JPY", "sales_price_lists": ["s"], "lines": [line]}
    lists = [{"external_id": "s", "kind": "sales", "rates": [{"role": "dev", "price": "17125"}]}]
    full = [{"external_id": str(number), "resource": "a", **row} for number, row in enumerate(rows)]
    return Plan("test", [], lists, [contract], [], full)


def _row(**fields: str) -> dict[str, str]:
    return {"project": "P", "task": "build", "role": "dev", "date": "2026-02-03", "quantity": "0.30", **fields}


@pytest.mark.parametrize(
    ("value", "currency", "rounded"),
    [("2.345", "EUR", "2.35"), ("2.344", "EUR", "2.34"), ("-2.345", "EUR", "-2.35"), ("5137.5", "JPY", "5138")],
)
def test_rounding_is_half_up_to_the_smallest_coin(value: str, currency: str, rounded: str) -> None:
    assert str(round_half_up(Decimal(value), currency)) == rounded


@pytest.mark.parametrize(
    ("row", "verdict", "amount"),
    [
        (_row(), "billable", Decimal(5138)),
        (_row(role="new"), "no_price", None),
        (_row(task="other"), "no_line", None),
        (_row(project="Q"), "no_line", None),
        (_row(date="2099-01-05"), "future", Decimal(5138)),
        (_row(date="2026-04-01"), "billable", Decimal(5138)),
    ],
)
def test_each_entry_is_judged_by_line_price_and_day(row: dict[str, str], verdict: str, amount: Decimal | None) -> None:
    plan = _plan([row])
    (judged,) = judge(plan, plan.rows, TODAY)
    assert (judged.verdict, judged.amount) == (verdict, amount)


def test_only_what_is_due_counts() -> None:
    plan = _plan([_row(), _row(date="2026-02-28"), _row(date="2026-03-01"), _row(role="new"), _row(task="other")])
    judged = judge(plan, plan.rows, TODAY)
    taken = due(judged, "c", date(2026, 2, 3), date(2026, 2, 28))
    assert [one.day for one in taken] == [date(2026, 2, 28)]
    sums = total(due(judged, "c", None, None))
    assert (sums.count, sums.hours, sums.amount) == (3, Decimal("0.90"), Decimal(15414))


def _invoice(**fields: Any) -> dict[str, Any]:
    return {"number": "PF-2026-000001", "contract_id": "id", "invoice_date": "2026-04-01", **fields}


def test_an_invoice_that_agrees_is_silent() -> None:
    assert compare([_invoice(details=2, total="10276")], _judged(2), {"id": "c"}, {}) == []


@pytest.mark.parametrize(("details", "amount"), [(2, "10275"), (1, "5138"), (3, "15414")])
def test_an_invoice_that_differs_is_named(details: int, amount: str) -> None:
    wrong = compare([_invoice(details=details, total=amount)], _judged(2), {"id": "c"}, {})
    assert "PF-2026-000001" in wrong[0]


def test_a_missing_invoice_is_found() -> None:
    assert compare([], _judged(2), {"id": "c"}, {}) == ["0 entries are billed, 2 should be"]


def test_scheduled_invoices_are_held_to_their_own_days() -> None:
    plan = _plan([_row(date="2026-01-30"), _row(date="2026-02-27"), _row(date="2026-03-20")])
    judged = judge(plan, plan.rows, TODAY)
    rows = [
        {"run_date": "2026-02-02", "cut_off": "2026-01-31"},
        {"run_date": "2026-03-02", "cut_off": "2026-02-28"},
    ]
    invoices = [
        _invoice(details=1, total="5138", invoice_date="2026-02-02"),
        _invoice(details=1, total="5138", invoice_date="2026-03-02"),
    ]
    assert compare(invoices, judged, {"id": "c"}, {"c": rows}) == []
    assert compare(invoices[:1], judged, {"id": "c"}, {"c": rows}) == ["1 entries are billed, 2 should be"]


def test_the_sample_has_every_verdict() -> None:
    plan = sample_plan()
    judged = judge(plan, plan.rows, TODAY)
    assert {one.verdict for one in judged} == {"billable", "future", "no_price", "no_line"}
    assert total(judged).count == len(plan.rows)


def _judged(count: int) -> list[Judged]:
    plan = _plan([_row()] * count)
    return judge(plan, plan.rows, TODAY)


def _items(**counts: int) -> list[dict[str, Any]]:
    shapes: dict[str, dict[str, Any]] = {
        "no_line": {"billing_status": "cost_only", "amount": None},
        "no_price": {"billing_status": "unbilled", "amount": None},
        "priced": {"billing_status": "unbilled", "amount": "5138"},
    }
    return [shapes[name] for name, count in counts.items() for _ in range(count)]


def _some_of_each() -> list[Judged]:
    plan = _plan([_row(), _row(date="2099-01-05"), _row(role="new"), _row(task="other"), _row(task="other")])
    return judge(plan, plan.rows, TODAY)


def test_a_backlog_that_agrees_is_silent() -> None:
    items = _items(priced=2, no_price=1, no_line=2)
    assert misplaced(_some_of_each(), items, ready=2, unready={"no_price": 1}) == []


@pytest.mark.parametrize(
    ("counts", "ready", "unready", "said"),
    [
        ({"priced": 3, "no_line": 2}, 2, {"no_price": 1}, "without a price"),
        ({"priced": 2, "no_price": 1, "no_line": 1}, 2, {"no_price": 1}, "on no contract line"),
        ({"priced": 2, "no_price": 1, "no_line": 2}, 1, {"no_price": 1}, "marked ready"),
        ({"priced": 2, "no_price": 1, "no_line": 2}, 2, {}, "refused as no_price"),
        ({"priced": 2, "no_price": 1, "no_line": 2}, 2, {"no_price": 1, "wrong_state": 1}, "refused in all"),
    ],
)
def test_a_backlog_that_differs_is_told(counts: dict[str, int], ready: int, unready: dict[str, int], said: str) -> None:
    wrong = misplaced(_some_of_each(), _items(**counts), ready, unready)
    assert any(said in line for line in wrong)
