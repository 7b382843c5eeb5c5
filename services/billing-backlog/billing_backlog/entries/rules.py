"""What an approval posts: the line that takes the work, the rates, and the ledger rows (domain §3.1, design §4).

Pure: no framework, no I/O.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from proforma.money import amount_of, split_amount

CHARGEABLE, NON_CHARGEABLE = "chargeable", "non_chargeable"


@dataclass(frozen=True, slots=True)
class Work:
    """One approved entry as the rules see it. Quantities in the entry's unit (time: hours)."""

    entry_class: str
    project: str
    task: str | None
    role: str | None
    date: date
    quantity: Decimal
    billable_quantity: Decimal
    billing_type: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A contract line of an active contract, with what it bills and by which price lists. Dates are inclusive."""

    id: UUID
    contract_id: UUID
    project: str
    tasks: frozenset[str] | None
    includes: frozenset[str]
    valid_from: date | None
    valid_to: date | None
    currency: str
    sales_list_ids: tuple[UUID, ...]
    cost_list_id: UUID | None

    def takes(self, work: Work) -> bool:
        """True when (project, class, task, date) of the work lies on this line; tasks None means all of them."""
        return (
            self.project == work.project
            and work.entry_class in self.includes
            and (self.tasks is None or work.task in self.tasks)
            and (self.valid_from is None or self.valid_from <= work.date)
            and (self.valid_to is None or work.date <= self.valid_to)
        )


@dataclass(frozen=True, slots=True)
class PriceList:
    """A price list with its price per unit by (class, role). Validity is inclusive, None is open."""

    id: UUID
    currency: str
    valid_from: date | None
    valid_to: date | None
    created_at: datetime
    rates: Mapping[tuple[str, str], "Rate"]

    def holds(self, on: date) -> bool:
        return (self.valid_from is None or self.valid_from <= on) and (self.valid_to is None or on <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Rate:
    """One price per unit, in its list's currency."""

    id: UUID
    price: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Row:
    """One ledger row to post for the work. Price, amount and currency are None where no rate was found, never 0."""

    type: str
    billing_type: str | None
    quantity: Decimal
    price: Decimal | None
    amount: Decimal | None
    currency: str | None
    rate_id: UUID | None


def line_for(work: Work, lines: Iterable[Line]) -> Line | None:
    """The line that takes the work; at most one does among active contracts (design §5.6)."""
    return next((line for line in lines if line.takes(work)), None)


def sales_rate(work: Work, line: Line, lists: Mapping[UUID, PriceList]) -> Rate | None:
    """The sales rate: from the line's contract's list that holds on the work's date, by role."""
    for list_id in line.sales_list_ids:
        found = lists.get(list_id)
        if found is not None and found.holds(work.date) and work.role is not None:
            rate = found.rates.get((work.entry_class, work.role))
            if rate is not None:
                return rate
    return None


def cost_rate(work: Work, line: Line | None, cost_lists: Sequence[PriceList]) -> Rate | None:
    """The cost rate: from the contract's own cost list, or else from the newest list that holds and has the role.

    Newest wins on overlap (domain §1.3, cost list).
    """
    if work.role is None:
        return None
    wanted = cost_lists
    if line is not None and line.cost_list_id is not None:
        wanted = [one for one in cost_lists if one.id == line.cost_list_id]
    for one in sorted(wanted, key=lambda one: (one.created_at, one.id), reverse=True):
        rate = one.rates.get((work.entry_class, work.role))
        if rate is not None and one.holds(work.date):
            return rate
    return None


def rows_for(work: Work, line: Line | None, sales: Rate | None, cost: Rate | None) -> list[Row]:
    """The rows of one approval: cost always; unbilled sales where a line takes the work.

    A billable quantity below the quantity leaves the rest as a non-chargeable row, one above it is billed in full.
    The split keeps the law: the kept part is rounded, the rest is the whole less the kept part (design §4).
    """
    billing_type = work.billing_type or CHARGEABLE
    rows = [_row("cost", billing_type if line is not None else None, work.quantity, cost)]
    if line is None:
        return rows
    rest = work.quantity - work.billable_quantity
    if rest <= 0:
        rows.append(_row("unbilled_sales", billing_type, work.billable_quantity, sales))
    elif billing_type == NON_CHARGEABLE or work.billable_quantity == 0:
        rows.append(_row("unbilled_sales", NON_CHARGEABLE, work.quantity, sales))
    else:
        rows.extend(_split(billing_type, work.quantity, work.billable_quantity, rest, sales))
    return rows


def _split(billing_type: str, whole: Decimal, kept: Decimal, rest: Decimal, rate: Rate | None) -> list[Row]:
    first, second = (
        _row("unbilled_sales", billing_type, kept, rate),
        _row("unbilled_sales", NON_CHARGEABLE, rest, rate),
    )
    if rate is None:
        return [first, second]
    amounts = split_amount(
        amount_of(whole, rate.price, rate.currency), [(kept, rate.price), (rest, rate.price)], rate.currency
    )
    return [
        Row(row.type, row.billing_type, row.quantity, row.price, amount, row.currency, row.rate_id)
        for row, amount in zip((first, second), amounts, strict=True)
    ]


def _row(row_type: str, billing_type: str | None, quantity: Decimal, rate: Rate | None) -> Row:
    if rate is None:
        return Row(row_type, billing_type, quantity, None, None, None, None)
    amount = amount_of(quantity, rate.price, rate.currency)
    return Row(row_type, billing_type, quantity, rate.price, amount, rate.currency, rate.id)
