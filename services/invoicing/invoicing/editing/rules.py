"""What may be edited on which kind of detail, and what follows from an edit (domain §2.7, §2.8). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Self

from invoicing.details.rules import Figures
from proforma.errors import BrokenRule, Conflict, Invalid
from proforma.events.invoicing import returned_item_id
from proforma.money import AMOUNT_MAX, amount_of, kept_and_rest, round_amount, tax_kept_and_rest

Detail = Mapping[str, Any]

TEXTS = ("description", "external_description")
CODING = ("date", "unit", "project", "task", "resource", "role", "category", "product")
FIGURES = ("quantity", "price", "amount", "tax", "billing_type")
WAS = ("was_quantity", "was_price", "was_amount", "was_tax", "was_billing_type")
EDITED = (*CODING, *TEXTS, *FIGURES, *WAS, "remainder")
"""The columns that an edit may change; the service's login may update no other."""

_WORK = ("billing_type", "quantity", "price", "tax")
_EDITABLE = {
    "backlog": (*_WORK, "remainder", *TEXTS),
    "hand": (*_WORK, *CODING, *TEXTS),
    "milestone": ("tax", *TEXTS),
    "product": ("tax", *TEXTS),
}
_CORRECTABLE = {
    "backlog": ("quantity", "price", "tax", *TEXTS),
    "hand": ("quantity", "price", "tax", *TEXTS),
    "milestone": ("amount", "tax"),
    "product": ("amount", "tax"),
}
_PRICE_UNIT = Decimal("0.0001")
_UNITS = {"time": "hour"}


def editable(source: str, *, corrective: bool) -> tuple[str, ...]:
    """The fields that may be edited on a detail of this source, on a draft or on a corrective."""
    return (_CORRECTABLE if corrective else _EDITABLE)[source]


@dataclass(frozen=True, slots=True)
class Was:
    """The figures that an edit goes out from: as claimed, or billed before; of a detail added by hand the current."""

    quantity: Decimal
    price: Decimal
    amount: Decimal
    tax: Decimal
    billing_type: str

    @classmethod
    def of(cls, detail: Detail) -> Self:
        """From a detail's row."""
        names = FIGURES if detail["was_quantity"] is None else WAS
        by_name = {name.removeprefix("was_"): detail[name] for name in names}
        return cls(**by_name)


def edited(detail: Detail, given: Mapping[str, Any], currency: str, *, corrective: bool) -> dict[str, Any]:
    """The columns that change when `given` is set on a detail, with their new values; none when all is so already.

    Raises Invalid for a field that this kind of detail does not have editable or a value that it cannot have, Conflict
    for one that its history forbids (`wrong_state`, with the returned item) or that is too large (`limit_exceeded`).
    """
    allowed = editable(detail["source"], corrective=corrective)
    for name in given:
        if name not in allowed:
            raise Invalid.field(f"/{name}", f"cannot be edited on a {_kind(detail, corrective)}", allowed)
    new = dict(detail) | {name: given[name] for name in (*CODING, *TEXTS) if name in given}
    if given.keys() & {*FIGURES, "remainder"}:
        change = _credited if "amount" in allowed else _worked
        new |= change(detail, given, currency, corrective)
        _check(new, Was.of(detail))
    changed = {name: new[name] for name in EDITED if new[name] != detail[name]}
    if changed.keys() & set(FIGURES) and detail["was_quantity"] is None and detail["source"] != "hand":
        changed |= {f"was_{name}": detail[name] for name in FIGURES}
    return changed


def _kind(detail: Detail, corrective: bool) -> str:
    names = {"hand": f"{detail['class']} added by hand", "backlog": f"{detail['class']} from the backlog"}
    name = names.get(detail["source"]) or str(detail["source"])
    return f"{name} of a corrective" if corrective else name


def _worked(detail: Detail, given: Mapping[str, Any], currency: str, corrective: bool) -> dict[str, Any]:
    """Figures of time, expense, material and fee; of a draft's milestone or product line, where the tax alone moves."""
    figures, was = Figures.of(currency), Was.of(detail)
    quantity = figures.quantity(given.get("quantity", detail["quantity"]))
    price = figures.price(given.get("price", detail["price"]))
    kind = given.get("billing_type", detail["billing_type"])
    if quantity == 0 and not corrective:
        raise Invalid.field("/quantity", "above zero; remove the detail instead")
    if quantity > was.quantity and detail["returned_by"] is not None:
        item = returned_item_id(detail["returned_by"])
        raise Conflict(
            f"item {item} was returned to the backlog: it is billed from there, not by a quantity above {was.quantity}",
            returned_item_id=str(item),
        )
    if price == was.price and quantity <= was.quantity:
        amount, _ = kept_and_rest(was.amount, was.quantity, price, quantity, currency)
    else:
        amount = amount_of(quantity, price, currency)
    tax = _tax(detail, given, was, quantity, kind, currency)
    remainder = detail["remainder"]
    if not corrective and detail["source"] == "backlog":
        remainder = _remainder(given.get("remainder"), remainder, reduced=quantity < was.quantity)
    return {
        "quantity": quantity, "price": price, "amount": amount, "tax": tax, "billing_type": kind,
        "remainder": remainder,
    }  # fmt: skip


def _remainder(given: str | None, before: str | None, *, reduced: bool) -> str | None:
    if reduced:
        return given or before or "write_off"
    if given is not None:
        raise Invalid.field("/remainder", "only a quantity below the claimed one has a remainder")
    return None


def _credited(detail: Detail, given: Mapping[str, Any], currency: str, _: bool) -> dict[str, Any]:
    """Figures of a corrective's milestone or product line: the amount is what stays billed, the price follows it."""
    was = Was.of(detail)
    amount = _amount("amount", given.get("amount", detail["amount"]), currency)
    if amount > was.amount:
        raise Invalid.field("/amount", f"from 0 to the original amount, {was.amount}")
    quantity = was.quantity if amount > 0 else was.quantity - was.quantity
    price = was.price
    if 0 < amount < was.amount:
        price = Figures.of(currency).price((amount / was.quantity).quantize(_PRICE_UNIT, rounding=ROUND_HALF_UP))
    if "tax" in given:
        tax = _amount("tax", given["tax"], currency)
    elif amount == detail["amount"]:
        tax = detail["tax"]
    else:
        tax = was.tax if amount == was.amount else round_amount(was.tax * amount / was.amount, currency)
    return {"quantity": quantity, "price": price, "amount": amount, "tax": tax}


def _tax(detail: Detail, given: Mapping[str, Any], was: Was, quantity: Decimal, kind: str, currency: str) -> Decimal:
    """The given tax; else the claimed one scaled to the quantity; one that was given before scales from there."""
    if "tax" in given:
        return _amount("tax", given["tax"], currency)
    if detail["tax"] == _scaled(was, detail["quantity"], detail["billing_type"], currency):
        return _scaled(was, quantity, kind, currency)
    if kind != "chargeable":
        return round_amount(Decimal(0), currency)
    return tax_kept_and_rest(detail["tax"], detail["quantity"], quantity, currency)[0]


def _scaled(was: Was, quantity: Decimal, kind: str, currency: str) -> Decimal:
    if (quantity, kind) == (was.quantity, was.billing_type):
        return was.tax
    if kind != "chargeable":
        return round_amount(Decimal(0), currency)
    return tax_kept_and_rest(was.tax, was.quantity, quantity, currency)[0]


def _check(new: Detail, was: Was) -> None:
    """Raises Invalid for a tax where nothing is owed, Conflict for figures that no event could carry."""
    if new["tax"] != 0 and new["quantity"] == 0:
        raise Invalid.field("/tax", "nothing is billed, so there is no tax")
    as_before = (new["tax"], new["billing_type"]) == (was.tax, was.billing_type)
    if new["tax"] != 0 and new["billing_type"] != "chargeable" and not as_before:
        raise Invalid.field("/tax", f"{new['billing_type']} work carries no tax")
    if max(abs(new["amount"]), abs(new["tax"])) > AMOUNT_MAX:
        raise Conflict(f"amount and tax are at most {AMOUNT_MAX}", reason="limit_exceeded")


def _amount(name: str, value: Decimal, currency: str) -> Decimal:
    try:
        return Figures.of(currency).amount(value)
    except BrokenRule as error:
        raise Invalid.field(f"/{name}", str(error)) from error


def added(wanted: Mapping[str, Detail], lines: Mapping[Any, Detail], currency: str) -> list[dict[str, Any]]:
    """The rows of details added by hand, in order; `wanted` by JSON pointer, `lines` by contract line.

    Raises Invalid for lines that the invoice does not have and values that cannot be, Conflict for a class that its
    line does not include: each names every bad one.
    """
    wrong = [
        {"pointer": f"{pointer}/contract_line_id", "detail": "the invoice has no line of this contract line"}
        for pointer, hand in wanted.items()
        if hand["contract_line_id"] not in lines
    ]
    if wrong:
        raise Invalid("contract lines that the invoice has no line of", wrong)
    refused = [
        {"pointer": f"{pointer}/class", "detail": why, "allowed": takes(line)}
        for pointer, hand in wanted.items()
        if (line := lines[hand["contract_line_id"]]) and (why := _not_included(line, hand["item_class"])) is not None
    ]
    if refused:
        raise Conflict(str(refused[0]["detail"]), reason="class_not_included", errors=refused)
    return [_added(pointer, hand, currency) for pointer, hand in wanted.items()]


def takes(line: Detail) -> list[str]:
    """The classes that may be added to a line by hand: fees are billed on time and material only (domain §3.4)."""
    return [name for name in line["includes"] if name != "fee" or line["billing_method"] != "fixed_price"]


def _not_included(line: Detail, item_class: str) -> str | None:
    if item_class in (allowed := takes(line)):
        return None
    return f"line {line['name']} takes {' and '.join(allowed) or 'nothing by hand'}, not {item_class}"


def _added(pointer: str, hand: Detail, currency: str) -> dict[str, Any]:
    figures = Figures.of(currency)
    quantity, price = figures.quantity(hand["quantity"]), figures.price(hand["price"])
    try:
        tax = figures.amount(hand["tax"])
    except BrokenRule as error:
        raise Invalid.field(f"{pointer}/tax", str(error)) from error
    row = {
        **hand, "class": hand["item_class"], "quantity": quantity, "price": price, "tax": tax,
        "amount": amount_of(quantity, price, currency), "unit": hand["unit"] or _UNITS.get(hand["item_class"], "each"),
    }  # fmt: skip
    del row["item_class"]
    if tax != 0 and hand["billing_type"] != "chargeable":
        raise Invalid.field(f"{pointer}/tax", f"{hand['billing_type']} work carries no tax")
    if row["amount"] > AMOUNT_MAX:
        raise Conflict(f"{pointer}: an amount is at most {AMOUNT_MAX}", reason="limit_exceeded")
    return row
