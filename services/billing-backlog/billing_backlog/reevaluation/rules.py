"""What becomes of approved work when lines or rates have changed (design §4, §5.6). Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

from billing_backlog.entries.rules import COST, UNBILLED, Line, Row, sold_in_parts
from billing_backlog.pricing.rules import Priced
from billing_backlog.withdrawals.rules import Standing

Kind = Literal["to_line", "off_line", "other_line", "billing_type", "quantity", "price", "cost"]
"""to_line: is sold from now on; off_line: is not any more; other_line: another line has it; cost: only that differs."""


@dataclass(frozen=True, slots=True)
class Posted(Standing):
    """A standing row of an entry, with what re-evaluation may change of it."""

    billing_type: str | None
    quantity: Decimal
    price: Decimal | None
    amount: Decimal | None
    currency: str | None
    contract_line_id: UUID | None
    unpriced: str | None
    contract_closed: bool
    hand_set: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One entry's change: the rows that are reversed, those that are posted anew, and for what cause."""

    kind: Kind
    old: Sequence[Posted]
    new: Sequence[Row]

    @property
    def cause(self) -> str:
        return "re-price" if self.kind == "price" else "re-evaluate"

    def replaced(self) -> list[tuple[Row, UUID | None]]:
        """Each new row with the old one, of its type, whose place it takes."""
        left = {one: [row.id for row in self.old if row.type == one] for one in (COST, UNBILLED)}
        return [(row, left[row.type].pop(0) if left[row.type] else None) for row in self.new]


_Key = tuple[str | None, Decimal, Decimal | None, str | None, UUID | None, str | None]


def change_of(old: Sequence[Posted], line: Line | None, rows: Sequence[Row], sales: Priced | None) -> Change | None:
    """What has to change so that `old`, what stands of the entry, is what it would be posted as now; None: nothing.

    Cost and sales are replaced each for itself. What a biller set by hand stays: the parts keep their types and
    quantities, and only line and price follow. Work that a closed contract ended stays where it is.
    """
    if not old or any(row.contract_closed for row in old):
        return None
    cost, sold = _of(old, COST), _of(old, UNBILLED)
    rows = _as_set_by_hand(sold, rows, sales)
    new_cost, new_sold = [row for row in rows if row.type == COST], [row for row in rows if row.type == UNBILLED]
    line_id = line.id if line is not None else None
    costs_differ = _old_keys(cost) != _new_keys(new_cost, line_id)
    sales_differ = _old_keys(sold) != _new_keys(new_sold, line_id)
    if not costs_differ and not sales_differ:
        return None
    return Change(
        _kind(cost, sold, new_sold, line_id),
        [*(cost if costs_differ else ()), *(sold if sales_differ else ())],
        [*(new_cost if costs_differ else ()), *(new_sold if sales_differ else ())],
    )


def _of(rows: Sequence[Posted], row_type: str) -> list[Posted]:
    return [row for row in rows if row.type == row_type]


def _as_set_by_hand(sold: Sequence[Posted], rows: Sequence[Row], sales: Priced | None) -> Sequence[Row]:
    # A decision of a biller outlives a new rate: to undo it would bill what somebody said is not to be paid.
    whole = sum((row.quantity for row in rows if row.type == UNBILLED), Decimal(0))
    parts = [(row.billing_type, row.quantity) for row in sold if row.billing_type is not None]
    if sales is None or not any(row.hand_set for row in sold) or sum(part[1] for part in parts) != whole:
        return rows
    return [*(row for row in rows if row.type == COST), *sold_in_parts(parts, sales)]


def _old_keys(rows: Iterable[Posted]) -> Counter[_Key]:
    return Counter(
        (row.billing_type, row.quantity, row.price, row.currency, row.contract_line_id, row.unpriced) for row in rows
    )


def _new_keys(rows: Iterable[Row], line_id: UUID | None) -> Counter[_Key]:
    return Counter((row.billing_type, row.quantity, row.price, row.currency, line_id, row.unpriced) for row in rows)


def _kind(cost: Sequence[Posted], sold: Sequence[Posted], new_sold: Sequence[Row], line_id: UUID | None) -> Kind:
    if bool(sold) != bool(new_sold):
        return "to_line" if new_sold else "off_line"
    if any(row.contract_line_id != line_id for row in [*cost, *sold]):
        return "other_line"
    if Counter(row.billing_type for row in sold) != Counter(row.billing_type for row in new_sold):
        return "billing_type"
    if Counter(row.quantity for row in sold) != Counter(row.quantity for row in new_sold):
        return "quantity"
    return _figures(sold, new_sold)


def _figures(sold: Sequence[Posted], new_sold: Sequence[Row]) -> Kind:
    before = Counter((row.quantity, row.price, row.currency, row.unpriced) for row in sold)
    after = Counter((row.quantity, row.price, row.currency, row.unpriced) for row in new_sold)
    return "price" if before != after else "cost"
