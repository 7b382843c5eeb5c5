"""What holds work on an invoice."""

from uuid import UUID

import pytest

from billing_backlog.withdrawals.rules import Hold, Standing, held

INVOICE = UUID(int=9)


def row(row_type: str, item_status: str | None = None, invoice_id: UUID | None = None) -> Standing:
    return Standing(UUID(int=1), row_type, UUID(int=2), item_status, invoice_id)


@pytest.mark.parametrize(
    ("rows", "hold"),
    [
        ([], None),
        ([row("cost"), row("unbilled_sales", "ready")], None),
        ([row("cost", "cost_only")], None),
        ([row("cost"), row("unbilled_sales", "on_invoice", INVOICE)], Hold("on_invoice", INVOICE)),
        ([row("unbilled_sales", "on_invoice")], Hold("on_invoice", None)),
        ([row("unbilled_sales", "unbilled"), row("billed_sales", None, INVOICE)], Hold("posted", INVOICE)),
    ],
)
def test_a_draft_or_a_live_bill_holds_it(rows: list[Standing], hold: Hold | None) -> None:
    assert held(rows) == hold


def test_a_hold_says_what_it_is() -> None:
    assert str(Hold("posted", INVOICE)) == f"is billed ({INVOICE})"
    assert str(Hold("on_invoice", None)) == "is on an invoice"
