"""What the demo tells, as plain text: aligned tables, one invoice, why things were left out. Nothing here does I/O."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from examples.check import decimals

WIDTH = 96
REASONS = {
    "no_price": "no rate for the role",
    "no_contract_line": "on no contract line: cost only",
    "class_not_included": "its line does not include the class",
    "no_exchange_rate": "no exchange rate on its day",
    "future_dated": "its day has not come",
    "after_cut_off": "for the next run",
    "not_ready": "nobody has marked it ready",
}


def table(rows: Sequence[Sequence[str]], aligned: str, indent: str = "  ") -> str:
    """Rows as aligned columns; `aligned` has one `<` or `>` for each column."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(aligned))]
    lines = [
        indent + "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, aligned, widths, strict=True))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def money(amount: Decimal | str, currency: str) -> str:
    """1234.5 EUR → `1,234.50 EUR`, with the decimals of the currency."""
    return f"{Decimal(amount):,.{decimals(currency)}f} {currency}"


def plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def heading(text: str) -> str:
    return f"\n{text}\n{'─' * len(text)}"


def wrapped(text: str) -> str:
    """A paragraph of the story, indented and broken at the width."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > WIDTH - 2:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(f"  {line}" for line in lines)


def invoice_text(invoice: Mapping[str, Any], lines: Iterable[Mapping[str, Any]], details: Iterable[Any]) -> str:
    """One invoice: its head, and for each line the details summed by role and price."""
    currency = invoice["currency"]
    customer = invoice["customer"]
    head = [
        ["Proforma", str(invoice["number"]), "", "Date", str(invoice["invoice_date"])],
        ["To", customer["name"], "", "Terms", f"{customer['payment_terms_days'] or 0} days"],
        ["Contract", invoice["contract_name"], "", "Tax id", customer["tax_id"] or "none"],
    ]
    body = [["", "entries", "hours", f"price {currency}", f"amount {currency}"]]
    grouped = _grouped(details)
    for line in lines:
        body.append([line["name"], "", "", "", ""])
        for (role, price), (count, hours, amount) in grouped[line["contract_line_id"]].items():
            body.append([f"   {role}", f"{count:,}", f"{hours:,}", f"{Decimal(price):,}", f"{amount:,}"])
        body.append(["   together", "", "", "", f"{Decimal(line['total']):,}"])
    count = sum(part[0] for parts in grouped.values() for part in parts.values())
    hours = sum((part[1] for parts in grouped.values() for part in parts.values()), Decimal(0))
    body.append(["Total", f"{count:,}", f"{hours:,}", "", f"{Decimal(invoice['total']):,}"])
    return f"{table(head, '<<<<<')}\n\n{table(body, '<>>>>')}"


Group = tuple[int, Decimal, Decimal]


def _grouped(details: Iterable[Mapping[str, Any]]) -> Mapping[str, Mapping[tuple[str, str], Group]]:
    """Line → (role, price) → count, hours, amount; highest price first."""
    sums: dict[str, dict[tuple[str, str], Group]] = defaultdict(dict)
    for detail in sorted(details, key=lambda one: (-Decimal(one["price"]), str(one["role"]))):
        key = (str(detail["role"]), str(detail["price"]))
        count, hours, amount = sums[detail["contract_line_id"]].get(key, (0, Decimal(0), Decimal(0)))
        sums[detail["contract_line_id"]][key] = (
            count + 1,
            hours + Decimal(detail["quantity"]),
            amount + Decimal(detail["amount"]),
        )
    return sums


def reasons_text(counts: Mapping[str, int], examples: Mapping[str, str]) -> str:
    """Reason → how many, what that means, and an example."""
    rows = [
        [f"{count:,}", reason, REASONS.get(reason, ""), f"e.g. {examples[reason]}" if reason in examples else ""]
        for reason, count in sorted(counts.items())
    ]
    return table(rows, "><<<") if rows else "  nothing"


def where_next(services: Iterable[tuple[str, str]], file: Path, again: str, stop: str) -> str:
    """Addresses to go on with; `again` and `stop` are commands."""
    rows = [[name, f"{url}/docs"] for name, url in services]
    rows += [
        ["Token for the docs pages", f"{file}, under tokens"],
        ["The walk, hop by hop", "docs/architecture.md"],
        ["Your own time entries", again],
        ["To stop, and keep the data", stop],
    ]
    return table(rows, "<<")
