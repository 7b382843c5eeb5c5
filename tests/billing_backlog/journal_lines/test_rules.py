"""What a journal line may bill."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing_backlog.journal_lines.rules import LineTerms, wrong

TERMS = LineTerms("active", "EUR", "project", "time_and_material", ["time", "fee"], date(2026, 1, 1), date(2026, 3, 31))


def judged(terms: LineTerms = TERMS, item_class: str = "fee", **changes: Any) -> tuple[str, str | None] | None:
    given: dict[str, Any] = {
        "on": date(2026, 2, 2), "quantity": Decimal(1), "price": Decimal(300), "tax": Decimal("0.01"), **changes,
    }  # fmt: skip
    found = wrong(terms, item_class, **given)
    return (found.field, found.reason) if found else None


@pytest.mark.parametrize("item_class", ["time", "fee"])
@pytest.mark.parametrize("day", [date(2026, 1, 1), date(2026, 3, 31)])
def test_what_the_line_includes_within_its_days(item_class: str, day: date) -> None:
    assert judged(TERMS, item_class, on=day) is None


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"contract_status": "draft"}, ("contract_line_id", "contract_not_active")),
        ({"contract_status": "closed"}, ("contract_line_id", "contract_not_active")),
        ({"billing_method": "fixed_price"}, ("contract_line_id", "not_chargeable")),
        ({"kind": "product", "billing_method": None, "includes": ()}, ("contract_line_id", "not_chargeable")),
        ({"includes": ["time"]}, ("class", "class_not_included")),
        ({"valid_from": date(2026, 2, 3)}, ("date", None)),
        ({"valid_to": date(2026, 2, 1)}, ("date", None)),
        ({"currency": "JPY"}, ("tax", None)),
    ],
)
def test_the_lines_terms(terms: dict[str, Any], expected: tuple[str, str | None]) -> None:
    assert judged(replace(TERMS, **terms)) == expected


def test_the_amount_has_a_limit() -> None:
    assert judged(quantity=Decimal(1000), price=Decimal(1_000_000_000)) is None
    assert judged(quantity=Decimal(1001), price=Decimal(1_000_000_000)) == ("price", "limit_exceeded")
