"""The second act's own arithmetic, beside figures worked out by hand."""

from decimal import Decimal

from examples.mixed import METRE_PRICE, METRES, RIGHT_METRES, amounts


def test_what_the_invoice_must_bill() -> None:
    # 120.50 USD × 0.92 = 110.86 EUR, and 10 % on top: 121.946, rounded once.
    assert amounts() == {
        "time": Decimal(540), "expense": Decimal("121.95"), "material": Decimal(180), "milestone": Decimal(7_000),
        "product": Decimal(1_350),
    }  # fmt: skip
    assert Decimal(45) == (METRES - RIGHT_METRES) * METRE_PRICE
