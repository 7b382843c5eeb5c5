"""What answers mean, without a database."""

from decimal import Decimal

import pytest

from invoicing.invoices.rules import Posting
from invoicing.postings.rules import settled, verdict

INVOICE = {
    "details": 2, "control_quantity": Decimal("9.00"), "control_amount": Decimal("10.50"), "control_tax": Decimal("1"),
}  # fmt: skip


def test_equal_totals_agree_however_they_are_written() -> None:
    assert verdict(INVOICE, 2, Decimal(9), Decimal("10.5"), Decimal("1.00")) is None


def test_every_difference_is_named() -> None:
    found = verdict(INVOICE, 3, Decimal(9), Decimal("10.51"), Decimal(1))
    assert found == "control totals differ: count 2 here, 3 in the ledger; amount 10.50 here, 10.51 in the ledger"


@pytest.mark.parametrize(
    ("now", "wanted", "then"),
    [("pending", "posted", "posted"), ("pending", "blocked", "blocked"), ("blocked", "posted", "posted"),
     ("blocked", "blocked", "blocked"), ("posted", "blocked", "posted"), ("posted", "posted", "posted")],
)  # fmt: skip
def test_posted_is_final(now: str, wanted: Posting, then: str) -> None:
    assert settled(now, wanted) == then
