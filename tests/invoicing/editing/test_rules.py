"""Domain §2.7 and §2.8 as tables: what may be edited on which kind of detail, and what follows from it."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from invoicing.editing.rules import EDITED, edited
from proforma.errors import Conflict, Invalid
from proforma.events.invoicing import returned_item_id

D = Decimal
NEW: dict[str, Any] = {
    "billing_type": "non_chargeable", "quantity": D("6.00"), "price": D("150.00"), "amount": D("100.00"),
    "tax": D("5.00"), "description": "x", "external_description": "y", "date": date(2026, 1, 5), "unit": "day",
    "project": "P9", "task": "T9", "resource": "bob", "role": "architect", "category": "C9", "product": "X9",
    "remainder": "return",
}  # fmt: skip

#                            draft                                  corrective
#                            backlog  milestone product hand        backlog milestone product hand
EDITABLE = {
    "billing_type":         ("yes",   "no",     "no",   "yes",      "no",   "no",     "no",   "no"),
    "quantity":             ("yes",   "no",     "no",   "yes",      "yes",  "no",     "no",   "yes"),
    "price":                ("yes",   "no",     "no",   "yes",      "yes",  "no",     "no",   "yes"),
    "amount":               ("no",    "no",     "no",   "no",       "no",   "yes",    "yes",  "no"),
    "tax":                  ("yes",   "yes",    "yes",  "yes",      "yes",  "yes",    "yes",  "yes"),
    "description":          ("yes",   "yes",    "yes",  "yes",      "yes",  "no",     "no",   "yes"),
    "external_description": ("yes",   "yes",    "yes",  "yes",      "yes",  "no",     "no",   "yes"),
    "date":                 ("no",    "no",     "no",   "yes",      "no",   "no",     "no",   "no"),
    "unit":                 ("no",    "no",     "no",   "yes",      "no",   "no",     "no",   "no"),
    "project":              ("no",    "no",     "no",   "yes",      "no",   "no",     "no",   "no"),
    "task":                 ("no",    "no",     "no",   "yes",      "no",   "no",     "no",   "no"),
    "resource":             ("no",    "no",     "no",   "yes",      "no",   "no",     "no",   "no"),
    "role":                 ("no",    "no",     "no",   "yes",      "no",   "no",     "no",   "no"),
    "category":             ("no",    "no",     "no",   "yes",      "no",   "no",     "no",   "no"),
    "product":              ("no",    "no",     "no",   "yes",      "no",   "no",     "no",   "no"),
    "remainder":            ("yes",   "no",     "no",   "no",       "no",   "no",     "no",   "no"),
}  # fmt: skip
KINDS = [(source, corrective) for corrective in (False, True) for source in ("backlog", "milestone", "product", "hand")]


def detail(source: str = "backlog", *, corrective: bool = False, **given: Any) -> dict[str, Any]:
    """8 hours at 200 with 80 of tax; on a corrective at zero, as a corrective begins."""
    figures = {
        "quantity": D("8.00"), "price": D("200.00"), "amount": D("1600.00"), "tax": D("80.00"),
        "billing_type": "chargeable",
    }  # fmt: skip
    was = {f"was_{name}": value if corrective else None for name, value in figures.items()}
    zero = {"quantity": D("0.00"), "amount": D("0.00"), "tax": D("0.00")} if corrective else {}
    row = dict.fromkeys(EDITED) | figures | was | zero | {"class": "time", "source": source, "returned_by": None}
    return {**row, "date": date(2026, 1, 1), "unit": "hour", "corrective": corrective, **given}


def edit(row: dict[str, Any], currency: str = "EUR", **given: Any) -> dict[str, Any]:
    """The row after an edit."""
    change = edited(row, given, currency, corrective=row["corrective"])
    return {**row, **change}


@pytest.mark.parametrize("name", EDITABLE)
@pytest.mark.parametrize(("at", "kind"), list(enumerate(KINDS)))
def test_every_field_of_every_kind(name: str, at: int, kind: tuple[str, bool]) -> None:
    source, corrective = kind
    row = detail(source, corrective=corrective)
    # A tax needs something that is billed, a remainder a quantity that is reduced.
    beside: dict[str, Any] = {"quantity": D("6.00")} if name == "remainder" and source == "backlog" else {}
    if name == "tax" and corrective:
        beside = {"amount": D("9.00")} if source in ("milestone", "product") else {"quantity": D("6.00")}
    given = {**beside, name: NEW[name]}
    if EDITABLE[name][at] == "yes":
        assert edited(row, given, "EUR", corrective=corrective)[name] == NEW[name]
        return
    with pytest.raises(Invalid) as refused:
        edited(row, given, "EUR", corrective=corrective)
    (error,) = refused.value.extra["errors"]
    assert error["pointer"] == f"/{name}"
    assert error["allowed"] == [field for field in error["allowed"] if EDITABLE[field][at] == "yes"]
    assert sorted(error["allowed"]) == sorted(field for field, cells in EDITABLE.items() if cells[at] == "yes")


# 8 x 200 = 1,600 with 80 of tax; what an edit makes of it.
DRAFT = [
    ({"quantity": "6.00"}, ("6.00", "200.00", "1200.00", "60.00", "chargeable", "write_off")),
    ({"quantity": "6.00", "remainder": "return"}, ("6.00", "200.00", "1200.00", "60.00", "chargeable", "return")),
    ({"quantity": "10.00"}, ("10.00", "200.00", "2000.00", "100.00", "chargeable", None)),
    ({"quantity": "6.00", "tax": "1.00"}, ("6.00", "200.00", "1200.00", "1.00", "chargeable", "write_off")),
    ({"price": "150.00"}, ("8.00", "150.00", "1200.00", "80.00", "chargeable", None)),
    ({"price": "150.1255"}, ("8.00", "150.1255", "1201.00", "80.00", "chargeable", None)),
    ({"price": "0"}, ("8.00", "0.00", "0.00", "80.00", "chargeable", None)),
    ({"tax": "7.77"}, ("8.00", "200.00", "1600.00", "7.77", "chargeable", None)),
    ({"billing_type": "non_chargeable"}, ("8.00", "200.00", "1600.00", "0.00", "non_chargeable", None)),
    ({"billing_type": "complimentary"}, ("8.00", "200.00", "1600.00", "0.00", "complimentary", None)),
    (
        {"billing_type": "non_chargeable", "quantity": "6.00"},
        ("6.00", "200.00", "1200.00", "0.00", "non_chargeable", "write_off"),
    ),
]


@pytest.mark.parametrize(("given", "figures"), DRAFT)
def test_figures_of_an_edited_draft(given: dict[str, str], figures: tuple[str | None, ...]) -> None:
    decimals: dict[str, Any] = {
        name: D(value) if name in ("quantity", "price", "tax") else value for name, value in given.items()
    }
    row = edit(detail(), **decimals)
    names = ("quantity", "price", "amount", "tax", "billing_type", "remainder")
    assert tuple(None if row[name] is None else str(row[name]) for name in names) == figures
    was = ("was_quantity", "was_price", "was_amount", "was_tax", "was_billing_type")
    assert [str(row[name]) for name in was] == ["8.00", "200.00", "1600.00", "80.00", "chargeable"]


CORRECTIVE = [
    ("backlog", {"quantity": "6.00"}, ("6.00", "200.00", "1200.00", "60.00")),
    ("backlog", {"quantity": "10.00"}, ("10.00", "200.00", "2000.00", "100.00")),
    ("backlog", {"quantity": "8.00"}, ("8.00", "200.00", "1600.00", "80.00")),
    ("backlog", {"quantity": "8.00", "price": "180.00"}, ("8.00", "180.00", "1440.00", "80.00")),
    ("hand", {"quantity": "6.00", "tax": "0.00"}, ("6.00", "200.00", "1200.00", "0.00")),
    ("milestone", {"amount": "600.00"}, ("8.00", "75.00", "600.00", "30.00")),
    ("milestone", {"amount": "1600.00"}, ("8.00", "200.00", "1600.00", "80.00")),
    ("product", {"amount": "100.01"}, ("8.00", "12.5013", "100.01", "5.00")),
    ("product", {"amount": "0.00"}, ("0.00", "200.00", "0.00", "0.00")),
]


@pytest.mark.parametrize(("source", "given", "figures"), CORRECTIVE)
def test_figures_of_a_corrective(source: str, given: dict[str, str], figures: tuple[str, ...]) -> None:
    decimals: dict[str, Any] = {name: D(value) for name, value in given.items()}
    row = edit(detail(source, corrective=True), **decimals)
    assert tuple(str(row[name]) for name in ("quantity", "price", "amount", "tax")) == figures
    assert (row["was_quantity"], row["was_amount"]) == (D("8.00"), D("1600.00"))
    assert row["remainder"] is None


def test_a_stored_amount_comes_back_with_its_quantity_and_price() -> None:
    # 0.03 x 0.5 is 0.015: as the rest of a split the stored amount may be 0.01 where rounding says 0.02.
    odd = detail(quantity=D("0.03"), price=D("0.50"), amount=D("0.01"), tax=D("0.01"))
    less = edit(odd, quantity=D("0.02"))
    assert (less["amount"], less["tax"]) == (D("0.01"), D("0.01"))
    again = edit(less, quantity=D("0.03"))
    assert (again["amount"], again["tax"], again["remainder"]) == (D("0.01"), D("0.01"), None)
    assert edit(less, quantity=D("0.03"), price=D("0.51"))["amount"] == D("0.02")


def test_a_part_is_never_more_than_the_whole() -> None:
    # The rest of several splits bears their roundings: 0.04 x 0.25 is 0.01, and nothing is left of it to be billed.
    odd = detail(quantity=D("0.04"), price=D("0.25"), amount=D("0.00"), tax=D("0.00"))
    assert edit(odd, quantity=D("0.02"))["amount"] == D("0.00")
    assert edit(odd, quantity=D("0.05"))["amount"] == D("0.01")
    assert edit(odd, quantity=D("0.02"), price=D("0.26"))["amount"] == D("0.01")


def test_a_tax_that_was_given_scales_from_there() -> None:
    given = edit(detail(), tax=D("40.00"))
    assert edit(given, quantity=D("4.00"))["tax"] == D("20.00")
    assert edit(given, price=D("1.00"))["tax"] == D("40.00")


def test_what_is_charged_again_has_its_tax_again() -> None:
    free = edit(detail(), billing_type="complimentary")
    assert (free["tax"], free["amount"]) == (D("0.00"), D("1600.00"))
    assert edit(free, billing_type="chargeable")["tax"] == D("80.00")


@pytest.mark.parametrize(
    ("currency", "given", "amount", "tax"),
    [
        ("EUR", {"quantity": "0.33", "price": "0.1250"}, "0.04", "3.30"),
        ("EUR", {"quantity": "1.00", "price": "0.0050"}, "0.01", "10.00"),
        ("JPY", {"quantity": "0.33", "price": "1.5000"}, "0", "3"),
        ("JPY", {"quantity": "3.00", "price": "33.5000"}, "101", "30"),
        ("KWD", {"quantity": "0.33", "price": "0.1250"}, "0.041", "3.300"),
        ("KWD", {"quantity": "1.00", "price": "0.0005"}, "0.001", "10.000"),
    ],
)
def test_amounts_are_rounded_half_up_once(currency: str, given: dict[str, str], amount: str, tax: str) -> None:
    decimals: dict[str, Any] = {name: D(value) for name, value in given.items()}
    row = edit(detail(), currency, **decimals)
    assert (str(row["amount"]), str(row["tax"])) == (amount, tax)


@pytest.mark.parametrize(
    ("row", "given", "pointer"),
    [
        (detail(), {"quantity": D(0)}, "/quantity"),
        (detail(), {"quantity": D(10), "remainder": "return"}, "/remainder"),
        (detail(), {"price": D(1), "remainder": "write_off"}, "/remainder"),
        (detail(), {"tax": D("0.001")}, "/tax"),
        (detail(), {"billing_type": "non_chargeable", "tax": D(5)}, "/tax"),
        (detail("hand"), {"billing_type": "complimentary", "tax": D(80)}, "/tax"),
        (detail(corrective=True), {"tax": D(5)}, "/tax"),
        (detail("milestone", corrective=True), {"amount": D("1600.01")}, "/amount"),
        (detail("milestone", corrective=True), {"amount": D("1.001")}, "/amount"),
        (detail("product", corrective=True), {"tax": D(1)}, "/tax"),
    ],
)
def test_values_that_cannot_be(row: dict[str, Any], given: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        edited(row, given, "EUR", corrective=row["corrective"])
    assert [error["pointer"] for error in refused.value.extra["errors"]] == [pointer]


def test_an_amount_that_no_event_could_carry_is_refused() -> None:
    with pytest.raises(Conflict) as refused:
        edit(detail(), quantity=D(1_000_000), price=D(1_000_001))
    assert refused.value.reason == "limit_exceeded"


def test_what_returned_quantity_is_not_raised_above_its_original() -> None:
    by = uuid4()
    row = detail(corrective=True, returned_by=by)
    assert edit(row, quantity=D(8))["amount"] == D("1600.00")
    with pytest.raises(Conflict, match=str(returned_item_id(by))) as refused:
        edit(row, quantity=D("8.01"))
    assert refused.value.extra["returned_item_id"] == str(returned_item_id(by))


def test_what_is_so_already_changes_nothing() -> None:
    same = {"quantity": D(8), "price": D("200.0000"), "tax": D(80), "billing_type": "chargeable", "description": None}
    assert edited(detail(), same, "EUR", corrective=False) == {}
