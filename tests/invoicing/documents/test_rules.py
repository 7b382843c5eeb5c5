"""The page, without a database."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from invoicing.documents import rules

INVOICE: dict[str, Any] = {
    "id": "i1", "kind": "invoice", "number": "PF-2026-000001", "status": "confirmed", "contract_name": "Website",
    "description": None, "invoice_date": date(2026, 3, 2), "currency": "EUR", "customer_name": "Acme",
    "customer_billing_address": None,
    "customer_tax_id": None, "customer_payment_terms_days": None, "subtotal": Decimal("1234567.00"),
    "tax": Decimal("0.00"), "total": Decimal("1234567.00"), "details": 1, "lines": 1,
}  # fmt: skip
EVIL = '<script>alert("x")</script>&\''


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/html", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("application/json, text/html", False),
        ("application/json;q=0.5, text/html", True),
        ("text/html;q=0.2, application/json;q=0.3", False),
        ("text/html;q=0", False),
        ("text/html;q=nonsense", False),
        ("TEXT/HTML", True),
        ("image/png", False),
    ],
)
def test_a_page_for_who_prefers_one(accept: str | None, page: bool) -> None:
    assert rules.prefers_html(accept) is page


@pytest.mark.parametrize(
    "field",
    ["number", "contract_name", "description", "customer_name", "customer_billing_address", "customer_tax_id",
     "currency"],
)  # fmt: skip
def test_the_head_escapes_everything(field: str) -> None:
    page = rules.head({**INVOICE, field: EVIL})
    assert "<script" not in page
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#x27;" in page


@pytest.mark.parametrize("field", ["external_description", "resource", "role", "category", "product", "task", "unit"])
def test_details_escape_everything(field: str) -> None:
    row = {
        "date": date(2026, 3, 1), "external_description": None, "resource": None, "role": None, "category": None,
        "product": None, "task": None, "quantity": Decimal(8), "unit": "hour", "price": Decimal(200),
        "amount": Decimal(1600), "billing_type": "chargeable", field: EVIL,
    }  # fmt: skip
    shown = rules.detail(row)
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_what_is_not_charged_says_so() -> None:
    row: dict[str, Any] = dict.fromkeys(["external_description", "resource", "role", "category", "product", "task"])
    row |= {"date": date(2026, 3, 1), "quantity": Decimal(8), "unit": "hour", "price": Decimal(200),
            "amount": Decimal(1600), "billing_type": "complimentary"}  # fmt: skip
    assert "(complimentary)" in rules.detail(row)
    assert "(not charged)" in rules.detail({**row, "billing_type": "non_chargeable"})
    assert 'class="soft">(' not in rules.detail({**row, "billing_type": "chargeable"})


def test_an_empty_line_says_so() -> None:
    line = {"name": "Support & more", "cut_off": None, "details": 0, "chargeable": Decimal(0)}
    assert "Support &amp; more" in rules.line_head(line)
    assert "Nothing to bill" in rules.line_head(line)
    assert rules.line_foot(line) == ""


def test_a_draft_is_marked() -> None:
    assert "Draft in review" in rules.head({**INVOICE, "number": None, "status": "in_review"})
    assert 'class="mark"' not in rules.head(INVOICE)


def test_totals_are_easy_to_read() -> None:
    assert "1,234,567.00" in rules.foot(INVOICE)


ROW: dict[str, Any] = {
    "line_id": "l1", "name": "Line 1", "cut_off": None, "chargeable": Decimal("-400.00"), "details": 1,
    "date": date(2026, 3, 1), "external_description": "Work", "resource": "ann", "role": None, "category": None,
    "product": None, "task": None, "quantity": Decimal("6.00"), "unit": "hour", "price": Decimal("200.00"),
    "amount": Decimal("1200.00"), "billing_type": "chargeable", "written_off_from": None, "original_detail_id": None,
    "was_quantity": None, "was_amount": None,
}  # fmt: skip
CORRECTED = {**ROW, "original_detail_id": "d0", "was_quantity": Decimal("8.00"), "was_amount": Decimal("1600.00")}


def texts(markup: str) -> list[str]:
    """What a reader sees, cell by cell."""
    return [text for text in re.sub(r"<[^>]*>", "\n", markup).split("\n") if text.strip()]


def test_a_corrective_names_its_original() -> None:
    page = rules.head({**INVOICE, "kind": "corrective", "original_number": "PF-2026-000009"})
    assert "<h1>Corrective proforma invoice</h1>" in page
    assert "<dt>Corrects</dt><dd>PF-2026-000009</dd>" in page
    assert "Corrects" not in rules.head(INVOICE)


def test_a_correctives_detail_shows_original_new_and_difference() -> None:
    assert texts(rules.line_head(CORRECTED))[1:] == [
        "Date", "Description", "Billed quantity", "New quantity", "Price", "Billed amount", "New amount", "Difference",
    ]  # fmt: skip
    assert texts(rules.detail(CORRECTED)) == [
        "2026-03-01", "Work", "ann", "8.00 hour", "6.00 hour", "200.00", "1,600.00", "1,200.00", "-400.00",
    ]  # fmt: skip
    assert '<td colspan="7">' in rules.line_foot(CORRECTED)
    assert "-400.00" in rules.line_foot(CORRECTED)


def test_an_invoices_detail_shows_what_it_bills() -> None:
    assert texts(rules.detail(ROW)) == ["2026-03-01", "Work", "ann", "6.00 hour", "200.00", "1,200.00"]
    assert '<td colspan="4">' in rules.line_foot(ROW)


@pytest.mark.parametrize(
    ("given", "note"),
    [
        ({"billing_type": "non_chargeable"}, "(not charged)"),
        ({"billing_type": "complimentary"}, "(complimentary)"),
        ({"billing_type": "non_chargeable", "written_off_from": "d1"}, "(written off, not charged)"),
    ],
)
def test_how_it_is_not_charged_is_said(given: dict[str, str], note: str) -> None:
    assert note in texts(rules.detail({**ROW, **given}))
