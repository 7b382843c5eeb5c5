"""What an item whose billing type is set becomes."""

from decimal import Decimal

import pytest

from billing_backlog.billing_types.rules import refusal, tax_of


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("unbilled", None),
        ("ready", None),
        ("on_invoice", "on_invoice"),
        ("posted", "posted"),
        ("canceled", "canceled"),
        ("cost_only", "no_contract_line"),
        (None, "not_found"),
    ],
)
def test_only_what_is_on_no_invoice_gets_another_type(status: str | None, reason: str | None) -> None:
    found = refusal(status)
    assert (found[0] if found else None) == reason


def test_only_what_the_customer_pays_is_taxed() -> None:
    assert tax_of("chargeable", Decimal(100), Decimal(19)) == 19
    assert tax_of("non_chargeable", Decimal(100), Decimal(19)) == 0
    assert tax_of("complimentary", Decimal(100), Decimal(19)) == 0
    assert tax_of("complimentary", None, None) is None
