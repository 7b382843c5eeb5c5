"""An invoice as a printable page: text in, text out. Every value is escaped; the page needs nothing from outside."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from html import escape
from typing import Any

Row = Mapping[str, Any]

_WEIGHT = re.compile(r"[01](\.[0-9]{0,3})?")

STYLE = """
:root { --ink: #1d2430; --soft: #667085; --rule: #d9dee7; --tint: #f5f7fa; --accent: #24557a }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 48px 40px; max-width: 920px; color: var(--ink); background: #fff;
  font: 14px/1.5 -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
header { display: flex; justify-content: space-between; gap: 32px; border-bottom: 2px solid var(--accent);
  padding-bottom: 20px }
h1 { margin: 0; font-size: 26px; font-weight: 600; letter-spacing: -.01em }
h2 { margin: 36px 0 6px; font-size: 16px; font-weight: 600 }
h2 small { font-weight: 400; color: var(--soft); margin-left: 8px }
p { margin: 4px 0 } .soft { color: var(--soft) }
.mark { display: inline-block; margin-top: 8px; padding: 2px 10px; border-radius: 10px; font-size: 12px;
  background: #fdf0d5; color: #7a4b00 }
dl { display: grid; grid-template-columns: auto auto; gap: 2px 20px; margin: 0 }
dt { color: var(--soft) } dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums }
address { margin: 24px 0 0; font-style: normal; white-space: pre-line }
table { width: 100%; border-collapse: collapse }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: 12px; padding: 6px 8px;
  border-bottom: 1px solid var(--rule) }
td { padding: 6px 8px; border-bottom: 1px solid var(--tint); vertical-align: top }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
tfoot td { border-bottom: 0; font-weight: 600 }
tr.free td { color: var(--soft) }
.sum { margin: 40px 0 0 auto; width: 320px; padding: 14px 18px; background: var(--tint); border-radius: 6px }
.sum .total { font-size: 18px; font-weight: 600; color: var(--ink) }
footer { margin-top: 40px; color: var(--soft); font-size: 12px }
@page { margin: 18mm 16mm }
@media print { body { padding: 0; max-width: none } thead { display: table-header-group }
  tr, .sum { break-inside: avoid } h2 { break-after: avoid } }
"""

_STATES = {
    "building": "Draft: items are still coming in",
    "draft": "Draft",
    "in_review": "Draft in review",
    "discarded": "Discarded",
}
_TITLES = {"invoice": "Proforma invoice", "corrective": "Corrective proforma invoice"}
_FREE = {"non_chargeable": "not charged", "complimentary": "complimentary"}
_BILLED = ("Quantity", "Price", "Amount")
_CORRECTED = ("Billed quantity", "New quantity", "Price", "Billed amount", "New amount", "Difference")


def prefers_html(accept: str | None) -> bool:
    """True when an Accept header wants a page rather than JSON. Who names neither gets JSON."""
    best = {"text/html": Decimal(0), "application/json": Decimal(0)}
    for part in (accept or "").lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        if kind in best:
            best[kind] = max(best[kind], Decimal(weight) if _WEIGHT.fullmatch(weight) else Decimal(0))
    return best["text/html"] > best["application/json"]


def money(value: Decimal) -> str:
    """An amount with thousands apart: 1,600.00."""
    return format(value, ",f")


def head(invoice: Row) -> str:
    """The page down to the first line."""
    kind = _TITLES[invoice["kind"]]
    title = invoice["number"] or kind
    state = _STATES.get(invoice["status"])
    mark = f'<div class="mark">{state}</div>' if state else ""
    note = f'<p class="soft">{_text(invoice["description"])}</p>' if invoice["description"] else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
        f'<header><div><h1>{kind}</h1><p class="soft">{_text(invoice["contract_name"])}</p>{mark}</div>'
        f"<dl>{_facts(invoice)}</dl></header>{_address(invoice)}{note}"
    )


def line_head(line: Row) -> str:
    """The heading of one invoice line and of its table."""
    until = f"<small>up to {_day(line['cut_off'])}</small>" if line["cut_off"] else ""
    heading = f"<h2>{_text(line['name'])}{until}</h2>"
    if line["details"] == 0:
        return f'{heading}<p class="soft">Nothing to bill this time.</p>'
    names = _CORRECTED if line.get("original_detail_id") else _BILLED
    columns = "".join(f'<th class="n">{name}</th>' for name in names)
    return f"{heading}<table><thead><tr><th>Date</th><th>Description</th>{columns}</tr></thead><tbody>"


def detail(row: Row) -> str:
    """One detail; of a corrective with what was billed before and the difference.

    What is not charged is shown with its value and adds nothing.
    """
    free = _FREE.get(row["billing_type"])
    if free and row.get("written_off_from"):
        free = "written off, not charged"
    who = " · ".join(_text(row[name]) for name in ("resource", "role", "category", "product", "task") if row[name])
    what = _text(row["external_description"] or "")
    described = "<br>".join(part for part in (what, f'<span class="soft">{who}</span>' if who else "") if part)
    note, kind = (f' <span class="soft">({free})</span>', ' class="free"') if free else ("", "")
    cells = [f"{money(row['quantity'])} {_text(row['unit'])}", money(row["price"]), money(row["amount"])]
    if row.get("original_detail_id"):
        before = [f"{money(row['was_quantity'])} {_text(row['unit'])}", money(row["was_amount"])]
        cells = [before[0], cells[0], cells[1], before[1], cells[2], money(row["amount"] - row["was_amount"])]
    figures = "".join(f'<td class="n">{cell}</td>' for cell in cells)
    return f"<tr{kind}><td>{_day(row['date'])}</td><td>{described}{note}</td>{figures}</tr>"


def line_foot(line: Row) -> str:
    """The end of one invoice line: what it adds to the invoice."""
    if line["details"] == 0:
        return ""
    columns = 1 + len(_CORRECTED if line.get("original_detail_id") else _BILLED)
    return (
        f'</tbody><tfoot><tr><td colspan="{columns}">{_text(line["name"])}</td>'
        f'<td class="n">{money(line["chargeable"])}</td></tr></tfoot></table>'
    )


def foot(invoice: Row) -> str:
    """The totals and the end of the page."""
    currency = _text(invoice["currency"])
    rows = [("Subtotal", invoice["subtotal"]), ("Tax", invoice["tax"])]
    sums = "".join(f"<dt>{name}</dt><dd>{money(value)}</dd>" for name, value in rows)
    total = f'<dt class="total">Total {currency}</dt><dd class="total">{money(invoice["total"])}</dd>'
    return (
        f'<dl class="sum">{sums}{total}</dl>'
        f"<footer>{invoice['details']} items on {invoice['lines']} lines · {invoice['id']}</footer></body></html>\n"
    )


def _facts(invoice: Row) -> str:
    facts = [
        ("Number", invoice["number"] or "–"),
        ("Invoice date", _day(invoice["invoice_date"])),
        ("Currency", invoice["currency"]),
    ]
    if invoice.get("original_number"):
        facts.insert(1, ("Corrects", invoice["original_number"]))
    if invoice["customer_payment_terms_days"] is not None:
        facts.append(("Payment terms", f"{invoice['customer_payment_terms_days']} days"))
    return "".join(f"<dt>{name}</dt><dd>{_text(value)}</dd>" for name, value in facts)


def _address(invoice: Row) -> str:
    parts = [f"<strong>{_text(invoice['customer_name'])}</strong>"]
    if invoice["customer_billing_address"]:
        parts.append(_text(invoice["customer_billing_address"]))
    if invoice["customer_tax_id"]:
        parts.append(f'<span class="soft">Tax id {_text(invoice["customer_tax_id"])}</span>')
    newline = "\n"
    return f"<address>{newline.join(parts)}</address>"


def _day(value: date) -> str:
    return value.isoformat()


def _text(value: object) -> str:
    return escape(str(value), quote=True)
