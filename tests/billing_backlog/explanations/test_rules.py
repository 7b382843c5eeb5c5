"""What refuses a piece of work, and whose turn it is."""

from dataclasses import replace
from datetime import date
from typing import Any, get_args

import pytest

from billing_backlog.backlog.schemas import ItemReason
from billing_backlog.explanations.rules import Lying, Taking, refusals, sentence, turn

WORK = Lying("time", "T", date(2026, 2, 2))
LINE = Taking("active", ["time"], None, None, None)


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        ({}, []),
        ({"tasks": ["T"], "valid_from": date(2026, 2, 2), "valid_to": date(2026, 2, 2)}, []),
        ({"contract_status": "draft"}, ["its contract is draft"]),
        ({"includes": ["fee", "expense"]}, ["class time is not among expense, fee"]),
        ({"tasks": ["U"]}, ["task T is not among its tasks"]),
        ({"valid_from": date(2026, 2, 3)}, ["2026-02-02 is before its first day, 2026-02-03"]),
        ({"valid_to": date(2026, 2, 1)}, ["2026-02-02 is after its last day, 2026-02-01"]),
    ],
)
def test_each_thing_that_refuses_is_said(terms: dict[str, Any], found: list[str]) -> None:
    assert refusals(replace(LINE, **terms), WORK) == found


def test_work_without_a_task_is_not_among_any() -> None:
    assert refusals(replace(LINE, tasks=["U"]), replace(WORK, task=None)) == ["work without a task is not taken"]


@pytest.mark.parametrize(
    ("status", "reasons", "who"),
    [
        ("unbilled", ["not_ready"], "biller"),
        ("unbilled", ["no_price", "not_ready"], "biller"),
        ("ready", [], "run"),
        ("ready", ["schedule_missing"], "biller"),
        ("ready", ["future_dated", "not_chargeable", "no_cost_price"], "run"),
        ("on_invoice", ["on_invoice"], "manager"),
        ("cost_only", ["no_contract_line"], "biller"),
        ("cost_only", ["no_contract_line", "contract_not_active"], "manager"),
        ("posted", ["posted"], "nobody"),
        ("canceled", ["canceled"], "nobody"),
    ],
)
def test_somebody_is_next(status: str, reasons: list[str], who: str) -> None:
    assert turn(status, reasons)[0] == who


def test_every_reason_has_its_words() -> None:
    assert all(sentence(reason) for reason in get_args(ItemReason))
