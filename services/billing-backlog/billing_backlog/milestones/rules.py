"""Rules of milestones. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from proforma.money import minor_units, round_amount

MILESTONES_MAX = 400
"""Of one line."""


def amount_errors(amounts: Mapping[str, Decimal], currency: str, at: str) -> list[dict[str, Any]]:
    """Amounts, by field, with more decimals than their currency has: they could never add up to a line's."""
    return [
        {"pointer": f"{at}/{name}", "detail": f"{currency} has {minor_units(currency)} decimals"}
        for name, amount in amounts.items()
        if round_amount(amount, currency) != amount
    ]


def still_open(status: str, amount: Decimal, billed: Decimal) -> Decimal:
    """What of a milestone is still to be billed; nothing of one that was given up with its contract."""
    return Decimal(0) if status == "canceled" else amount - billed
