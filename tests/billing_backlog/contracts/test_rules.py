"""Rules of contracts: which price lists fit together."""

from datetime import date
from uuid import UUID

import pytest

from billing_backlog.contracts.rules import ListTerms, price_list_errors
from billing_backlog.validity import Validity

OLD, NEW, DOLLAR, COST, MISSING = (UUID(int=n) for n in range(1, 6))
LISTS = {
    OLD: ListTerms("sales", "EUR", Validity(None, date(2025, 12, 31))),
    NEW: ListTerms("sales", "EUR", Validity(date(2025, 12, 31), None)),
    DOLLAR: ListTerms("sales", "USD", Validity()),
    COST: ListTerms("cost", "GBP", Validity()),
}


@pytest.mark.parametrize(
    ("sales", "cost", "wrong"),
    [
        ([], None, []),
        ([OLD], COST, []),
        ([DOLLAR], None, ["/sales_price_list_ids/0"]),
        ([OLD, COST], None, ["/sales_price_list_ids/1"]),
        ([OLD, MISSING, DOLLAR], None, ["/sales_price_list_ids/1", "/sales_price_list_ids/2"]),
        ([OLD, OLD], None, ["/sales_price_list_ids/1"]),
        ([OLD, NEW], None, ["/sales_price_list_ids/1"]),
        ([], OLD, ["/cost_price_list_id"]),
        ([], MISSING, ["/cost_price_list_id"]),
    ],
)
def test_price_lists_fit_or_are_named(sales: list[UUID], cost: UUID | None, wrong: list[str]) -> None:
    assert [error["pointer"] for error in price_list_errors("EUR", sales, cost, LISTS)] == wrong
