"""What posts to a general ledger, event by event, with the specification's numbers: 8 hours at 200."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from examples.integrate.postings import (
    ACCRUED,
    CUSTOMER,
    ON_ACCOUNT,
    REVENUE,
    TAX,
    WIP,
    DoesNotAddUp,
    Voucher,
    accrual,
    invoice,
)
from proforma.events.billing_backlog import ActualsPosted
from proforma.events.invoicing import InvoiceConfirmed
from reference.events import sample_of

LINE = "line"


def sums(voucher: Voucher | None) -> dict[str, Decimal]:
    assert voucher is not None
    assert sum(one.amount for one in voucher.postings) == 0
    return {one.account: one.amount for one in voucher.postings}


def unbilled(**changes: Any) -> dict[str, Any]:
    _, row = sample_of(ActualsPosted)["actuals"]
    return {**row, **changes}


def figures(amount: str, tax: str = "0", billing_type: str = "chargeable", quantity: str = "8") -> dict[str, str]:
    return {"quantity": quantity, "price": "200", "amount": amount, "tax": tax, "billing_type": billing_type}


def detail(now: Mapping[str, str], source: str = "backlog", **changes: Any) -> dict[str, Any]:
    return {"contract_line_id": LINE, "source": source, "was": now, "now": now, **changes}


def confirmed(*details: dict[str, Any], **changes: Any) -> dict[str, Any]:
    def total(what: str) -> str:
        return str(sum(Decimal(one["now"][what]) for one in details))

    totals = {"count": len(details), **{what: total(what) for what in ("quantity", "amount", "tax")}}
    return {**sample_of(InvoiceConfirmed), "totals": totals, "details": list(details), **changes}


def test_an_approval_accrues_its_sales_value() -> None:
    voucher = accrual(unbilled())
    assert sums(voucher) == {WIP: 1600, ACCRUED: -1600}
    assert voucher is not None
    assert (voucher.id, voucher.subject) == (f"actual:{unbilled()['id']}", unbilled()["id"])


def test_its_reversal_takes_the_accrual_back() -> None:
    voucher = accrual(unbilled(id="reversal", quantity="-8.00", amount="-1600.00", reverses="original", invoice_id="i"))
    assert sums(voucher) == {WIP: -1600, ACCRUED: 1600}
    assert voucher is not None
    assert (voucher.subject, voucher.invoice_id) == ("original", "i")


@pytest.mark.parametrize(
    "changes",
    [{"type": "cost"}, {"type": "billed_sales"}, {"billing_type": "non_chargeable"}, {"billing_type": "complimentary"},
     {"amount": None, "price": None, "currency": None}],
)  # fmt: skip
def test_what_nobody_will_pay_or_has_no_price_accrues_nothing(changes: dict[str, Any]) -> None:
    assert accrual(unbilled(**changes)) is None


def test_an_invoice_of_work_is_owed_by_the_customer() -> None:
    assert sums(invoice([sample_of(InvoiceConfirmed)])) == {CUSTOMER: 1600, REVENUE: -1600}


def test_tax_is_owed_too_and_is_no_revenue() -> None:
    assert sums(invoice([confirmed(detail(figures("1600", "320")))])) == {CUSTOMER: 1920, REVENUE: -1600, TAX: -320}


def test_a_milestone_is_invoiced_on_account() -> None:
    one = confirmed(detail(figures("5000"), "milestone"), detail(figures("500"), "product"))
    assert sums(invoice([one])) == {CUSTOMER: 5500, ON_ACCOUNT: -5000, REVENUE: -500}


def test_what_is_written_off_or_given_away_is_not_owed() -> None:
    rest = detail(figures("400", billing_type="non_chargeable", quantity="2"), written_off_from="other")
    gift = detail(figures("100", "20", billing_type="complimentary", quantity="1"))
    paid = detail(figures("1200", quantity="6"), was=figures("1600"))
    assert sums(invoice([confirmed(paid, rest, gift)])) == {CUSTOMER: 1200, REVENUE: -1200}


def test_a_corrective_posts_the_difference() -> None:
    less = detail(figures("1200", "240", quantity="6"), was=figures("1600", "320"), original_detail_id="first")
    free = detail(figures("1600", billing_type="non_chargeable"), was=figures("1600"), original_detail_id="second")
    same = detail(figures("700"), "milestone", was=figures("1000"), original_detail_id="third")
    voucher = invoice([confirmed(less, free, same, kind="corrective")])
    assert sums(voucher) == {CUSTOMER: -400 - 80 - 1600 - 300, REVENUE: 2000, TAX: 80, ON_ACCOUNT: 300}


def test_an_invoice_in_chunks_is_one_voucher() -> None:
    whole = confirmed(detail(figures("1600")), detail(figures("200", quantity="1")))
    chunks = [{**whole, "details": [one], "chunk": n, "chunks": 2} for n, one in enumerate(whole["details"], 1)]
    assert sums(invoice(chunks)) == {CUSTOMER: 1800, REVENUE: -1800}


@pytest.mark.parametrize("what", ["count", "quantity", "amount", "tax"])
def test_what_is_not_what_the_control_totals_say_is_not_posted(what: str) -> None:
    whole = confirmed(detail(figures("1600")))
    wrong = {**whole["totals"], what: 2 if what == "count" else "9999"}
    with pytest.raises(DoesNotAddUp, match="PF-2026-000001"):
        invoice([{**whole, "totals": wrong}])
