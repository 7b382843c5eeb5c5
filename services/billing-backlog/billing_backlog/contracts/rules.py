"""Rules of contracts: which price lists fit together. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from billing_backlog.validity import Validity, first_overlap


@dataclass(frozen=True, slots=True)
class ListTerms:
    """What a contract must know of a price list."""

    kind: str
    currency: str
    validity: Validity


def price_list_errors(
    currency: str, sales: Sequence[UUID], cost: UUID | None, lists: Mapping[UUID, ListTerms]
) -> list[dict[str, Any]]:
    """What is wrong with a contract's price lists, by pointer; `lists` holds those that exist.

    Sales lists are of kind sales, in the contract's currency (its items are priced without an exchange rate) and
    apart in their validity (else two prices would hold on one day). The cost list is of kind cost, in any currency.
    """
    errors = []
    for n, price_list_id in enumerate(sales):
        wrong = _unfit_for_sales(currency, lists.get(price_list_id))
        if wrong is None and price_list_id in sales[:n]:
            wrong = "is named twice"
        if wrong is not None:
            errors.append({"pointer": f"/sales_price_list_ids/{n}", "detail": wrong})
    if cost is not None and (cost not in lists or lists[cost].kind != "cost"):
        errors.append({"pointer": "/cost_price_list_id", "detail": "is not a price list of kind cost"})
    overlap = first_overlap([lists[price_list_id].validity for price_list_id in sales]) if not errors else None
    if overlap is not None:
        first, second = overlap
        detail = f"overlaps in validity with /sales_price_list_ids/{first}, price list {sales[first]}"
        errors.append({"pointer": f"/sales_price_list_ids/{second}", "detail": detail})
    return errors


def _unfit_for_sales(currency: str, terms: ListTerms | None) -> str | None:
    if terms is None or terms.kind != "sales":
        return "is not a price list of kind sales"
    if terms.currency != currency:
        return f"is in {terms.currency}, the contract in {currency}"
    return None
