"""What the demo prints: aligned, complete, and the same figures that it was given."""

from pathlib import Path
from typing import Any

from examples import story


def test_columns_are_aligned() -> None:
    text = story.table([["role", "hours"], ["dev", "1.50"], ["architect", "120.00"]], "<>")
    assert text.splitlines() == ["  role        hours", "  dev          1.50", "  architect  120.00"]


def test_money_has_the_decimals_of_its_currency() -> None:
    assert story.money("0", "EUR") == "0.00 EUR"
    assert story.money("1234.50", "EUR") == "1,234.50 EUR"
    assert story.money("1234567", "JPY") == "1,234,567 JPY"


def test_plurals() -> None:
    assert story.plural(1, "line") == "1 line"
    assert story.plural(2000, "entry", "entries") == "2,000 entries"


def test_paragraphs_are_broken_at_the_width_and_lose_no_word() -> None:
    text = " ".join(f"word{number}" for number in range(60))
    broken = story.wrapped(text)
    assert broken.split() == text.split()
    assert all(len(line) <= story.WIDTH for line in broken.splitlines())


def _detail(line: str, role: str, price: str, quantity: str, amount: str) -> dict[str, Any]:
    return {"contract_line_id": line, "role": role, "price": price, "quantity": quantity, "amount": amount}


def test_an_invoice_shows_each_line_by_role_and_adds_up() -> None:
    invoice = {
        "number": "PF-2026-000007", "invoice_date": "2026-03-02", "currency": "EUR", "total": "2150.10",
        "contract_name": "Portal",
        "customer": {"name": "Nordwind", "payment_terms_days": 30, "tax_id": None},
    }  # fmt: skip
    lines = [
        {"contract_line_id": "b", "name": "Build", "total": "2000.10"},
        {"contract_line_id": "a", "name": "Advice", "total": "150.00"},
    ]
    details = [
        _detail("b", "dev", "100.00", "8.00", "800.00"),
        _detail("b", "dev", "100.00", "2.00", "200.00"),
        _detail("b", "lead", "200.0200", "5.00", "1000.10"),
        _detail("a", "lead", "150.00", "1.00", "150.00"),
    ]
    text = story.invoice_text(invoice, lines, details)
    rows = [line.split() for line in text.splitlines()]
    assert ["dev", "2", "10.00", "100.00", "1,000.00"] in rows
    assert ["lead", "1", "5.00", "200.0200", "1,000.10"] in rows
    assert ["Total", "4", "16.00", "2,150.10"] in rows
    assert text.index("lead") < text.index("dev"), "the highest price first"
    assert "PF-2026-000007" in text
    assert "none" in text, "a customer without a tax id"


def test_reasons_come_with_their_meaning_and_an_example() -> None:
    text = story.reasons_text({"no_price": 12, "something_new": 1}, {"no_price": "ada, new-role, 2.00 h on 2026-02-03"})
    (first, second) = text.splitlines()
    assert first.split()[:2] == ["12", "no_price"]
    assert story.REASONS["no_price"] in first
    assert "e.g. ada" in first
    assert second.split() == ["1", "something_new"]
    assert story.reasons_text({}, {}).strip() == "nothing"


def test_where_to_look_next_names_every_docs_page() -> None:
    text = story.where_next([("invoicing", "http://127.0.0.1:8003")], Path("s.json"), "play", "halt")
    assert "http://127.0.0.1:8003/docs" in text
    assert all(told in text for told in ("s.json", "play", "halt"))
