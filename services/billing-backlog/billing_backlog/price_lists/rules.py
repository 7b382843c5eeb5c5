"""Rules of price lists: one rate for one kind of work, and which rates a list may hold. Pure."""

from collections.abc import Sequence
from decimal import Decimal

MARKUP_MAX = Decimal(1000)

RateKey = tuple[str, str | None, str | None, str | None, str | None, str]
"""(class, role, category, product, resource, unit): the work that a rate is for."""


def repeated_rates(keys: Sequence[RateKey]) -> list[tuple[int, int]]:
    """(place, place of the first) of every rate for work that an earlier one in the list is for."""
    seen: dict[RateKey, int] = {}
    return [(n, seen[key]) for n, key in enumerate(keys) if seen.setdefault(key, n) != n]


def method_errors(method: str, price: Decimal | None, markup_percent: Decimal | None) -> dict[str, str]:
    """What is wrong with a rate's figures, by field: each method has its own figure and none of the others."""
    errors = {}
    if method == "per_unit" and price is None:
        errors["price"] = "a rate per unit needs it"
    if method != "per_unit" and price is not None:
        errors["price"] = f"a rate with method {method} has none"
    if method == "markup" and markup_percent is None:
        errors["markup_percent"] = "a markup needs it"
    if method != "markup" and markup_percent is not None:
        errors["markup_percent"] = f"a rate with method {method} has none"
    return errors


def unfit_for(kind: str, item_class: str, method: str) -> dict[str, str]:
    """What keeps a rate off a list of this kind, by field.

    What an expense or material costs is said by its entry, and a cost that is derived from cost would be none.
    """
    if kind != "cost":
        return {}
    errors = {}
    if item_class != "time":
        errors["class"] = f"a cost list holds rates of time only: what {item_class} costs is said by the entry"
    if method != "per_unit":
        errors["method"] = "a cost list has rates per unit only"
    return errors
