"""What the ledger's answers mean for an invoice's `posting`."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from invoicing.invoices.rules import Posting


def verdict(invoice: Mapping[str, Any], count: int, quantity: Decimal, amount: Decimal, tax: Decimal) -> str | None:
    """Why the posted totals are not the invoice's; None when they agree: both sides have counted the same details."""
    pairs = {
        "count": (invoice["details"], count),
        "quantity": (invoice["control_quantity"], quantity),
        "amount": (invoice["control_amount"], amount),
        "tax": (invoice["control_tax"], tax),
    }
    differs = [
        f"{name} {ours} here, {theirs} in the ledger" for name, (ours, theirs) in pairs.items() if ours != theirs
    ]
    return f"control totals differ: {'; '.join(differs)}" if differs else None


def settled(posting: str, wanted: Posting) -> Posting:
    """The posting after an answer that says `wanted`. Posted is final, in whatever order the answers come."""
    return "posted" if posting == "posted" else wanted
