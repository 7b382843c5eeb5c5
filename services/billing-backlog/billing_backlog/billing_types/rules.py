"""What becomes of an item whose billing type is set. Pure."""

from decimal import Decimal

CHARGEABLE = "chargeable"
OPEN = ("unbilled", "ready")


def refusal(status: str | None) -> tuple[str, str] | None:
    """(reason, why) where an item of this status keeps its billing type; None where it can get another one."""
    if status is None:
        return "not_found", "there is no such item"
    if status == "cost_only":
        return "no_contract_line", "no contract line takes this work: nobody is billed for it"
    if status not in OPEN:
        reason = status if status in ("on_invoice", "posted", "canceled") else "wrong_state"
        return reason, f"the item is {status} and keeps its billing type"
    return None


def tax_of(billing_type: str, amount: Decimal | None, tax: Decimal | None) -> Decimal | None:
    """The tax of an item with this billing type: only what the customer pays is taxed."""
    if amount is None:
        return None
    return tax if billing_type == CHARGEABLE else Decimal(0)
