"""What a journal line may bill. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from proforma.money import AMOUNT_MAX, amount_of, minor_units, round_amount


@dataclass(frozen=True, slots=True)
class LineTerms:
    """What must be known of the contract line that it is billed on. Dates are inclusive, None is open."""

    contract_status: str
    currency: str
    kind: str
    billing_method: str | None
    includes: Collection[str]
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why it is refused: the field, the reason of the common vocabulary where it is one, and a sentence."""

    field: str
    detail: str
    reason: str | None = None


def wrong(terms: LineTerms, item_class: str, on: date, quantity: Decimal, price: Decimal, tax: Decimal) -> Wrong | None:
    """The first thing that keeps it from being billed on the line; None when it can be."""
    return _not_taken(terms, item_class) or _out_of_days(terms, on) or _out_of_figures(terms, quantity, price, tax)


def _not_taken(terms: LineTerms, item_class: str) -> Wrong | None:
    # A fixed-price line bills its milestones, a product line its product: work beside them would be paid twice.
    if terms.contract_status != "active":
        return Wrong("contract_line_id", f"its contract is {terms.contract_status}", "contract_not_active")
    if terms.kind != "project" or terms.billing_method != "time_and_material":
        return Wrong("contract_line_id", "bills no time and material", "not_chargeable")
    if item_class not in terms.includes:
        return Wrong("class", f"{item_class} is not among the line's {sorted(terms.includes)}", "class_not_included")
    return None


def _out_of_days(terms: LineTerms, on: date) -> Wrong | None:
    if terms.valid_from is not None and on < terms.valid_from:
        return Wrong("date", f"is before the line's first day, {terms.valid_from}")
    if terms.valid_to is not None and on > terms.valid_to:
        return Wrong("date", f"is after the line's last day, {terms.valid_to}")
    return None


def _out_of_figures(terms: LineTerms, quantity: Decimal, price: Decimal, tax: Decimal) -> Wrong | None:
    if round_amount(tax, terms.currency) != tax:
        return Wrong("tax", f"has more decimals than {terms.currency}, which has {minor_units(terms.currency)}")
    if amount_of(quantity, price, terms.currency) > AMOUNT_MAX:
        return Wrong("price", f"makes an amount above {AMOUNT_MAX}", "limit_exceeded")
    return None
