"""What an approval posts: the line that takes the work, and the ledger rows (domain §3.1, design §4).

Pure: no framework, no I/O.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from billing_backlog.pricing.rules import Priced, Wanted
from proforma.money import amount_of, split_amount

CHARGEABLE, NON_CHARGEABLE = "chargeable", "non_chargeable"
FIXED_PRICE = "fixed_price"
COST, UNBILLED = "cost", "unbilled_sales"


@dataclass(frozen=True, slots=True)
class Work:
    """One approved entry as the rules see it. Quantities in `unit`; unit cost in `cost_currency`, None for time."""

    entry_class: str
    project: str
    task: str | None
    role: str | None
    date: date
    quantity: Decimal
    billable_quantity: Decimal
    billing_type: str | None
    category: str | None = None
    product: str | None = None
    resource: str = ""
    unit: str = "hour"
    unit_cost: Decimal | None = None
    cost_currency: str | None = None

    @property
    def wanted(self) -> Wanted:
        """What is to be priced. Written-in material has no product: only a rate without one can price it."""
        key = {"time": self.role, "expense": self.category}.get(self.entry_class, self.product)
        most = max(self.quantity, self.billable_quantity)
        return Wanted(
            self.entry_class, key, self.resource, self.unit, self.date, most, self.unit_cost, self.cost_currency
        )


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
    billing_method: str = "time_and_material"
    non_chargeable_roles: frozenset[str] = frozenset()
    non_chargeable_categories: frozenset[str] = frozenset()
    non_chargeable_tasks: frozenset[str] = frozenset()

    def takes(self, work: Work) -> bool:
        """True when (project, class, task, date) of the work lies on this line; tasks None means all of them."""
        return (
            self.project == work.project
            and work.entry_class in self.includes
            and (self.tasks is None or work.task in self.tasks)
            and (self.valid_from is None or self.valid_from <= work.date)
            and (self.valid_to is None or work.date <= self.valid_to)
        )

    def billing_type(self, work: Work) -> str:
        """The approver's word wins; else what the line says of the role, the category or the task (domain §1.3)."""
        if work.billing_type is not None:
            return work.billing_type
        by_role = work.entry_class == "time" and work.role in self.non_chargeable_roles
        by_category = work.entry_class == "expense" and work.category in self.non_chargeable_categories
        by_task = work.task in self.non_chargeable_tasks
        return NON_CHARGEABLE if by_role or by_category or by_task else CHARGEABLE


@dataclass(frozen=True, slots=True)
class Row:
    """One ledger row to post for the work. Price, amount and currency are None where there is no price, never 0."""

    type: str
    billing_type: str | None
    quantity: Decimal
    price: Decimal | None
    amount: Decimal | None
    currency: str | None
    rate_id: UUID | None
    exchange_rate_id: UUID | None = None
    unpriced: str | None = None


def line_for(work: Work, lines: Iterable[Line]) -> Line | None:
    """The line that takes the work; at most one does among active contracts (design §5.6)."""
    return next((line for line in lines if line.takes(work)), None)


def rows_for(work: Work, line: Line | None, sales: Priced | None, cost: Priced) -> list[Row]:
    """The rows of one approval: cost always; unbilled sales where a line of time and material takes the work.

    A billable quantity below the quantity leaves the rest as a non-chargeable row, one above it is billed in full.
    Work on a fixed-price line, or on none, costs and is not sold: its billing type is nobody's business.
    """
    if line is None or line.billing_method == FIXED_PRICE or sales is None:
        return [_row(COST, None, work.quantity, cost)]
    billing_type = line.billing_type(work)
    cost_row = _row(COST, billing_type, work.quantity, cost)
    rest = work.quantity - work.billable_quantity
    if rest <= 0:
        return [cost_row, _row(UNBILLED, billing_type, work.billable_quantity, sales)]
    if billing_type == NON_CHARGEABLE or work.billable_quantity == 0:
        return [cost_row, _row(UNBILLED, NON_CHARGEABLE, work.quantity, sales)]
    return [cost_row, *sold_in_parts([(billing_type, work.billable_quantity), (NON_CHARGEABLE, rest)], sales)]


def sold_in_parts(parts: Iterable[tuple[str, Decimal]], sales: Priced) -> list[Row]:
    """Unbilled rows of these (billing type, quantity).

    The parts add up to the whole: each is rounded, the last is the whole less the others (design §4).
    """
    rows = [_row(UNBILLED, billing_type, quantity, sales) for billing_type, quantity in parts]
    if sales.price is None or sales.currency is None:
        return rows
    whole = amount_of(sum((row.quantity for row in rows), Decimal(0)), sales.price, sales.currency)
    amounts = split_amount(whole, [(row.quantity, sales.price) for row in rows], sales.currency)
    return [replace(row, amount=amount) for row, amount in zip(rows, amounts, strict=True)]


def _row(row_type: str, billing_type: str | None, quantity: Decimal, priced: Priced) -> Row:
    amount = None
    if priced.price is not None and priced.currency is not None:
        amount = amount_of(quantity, priced.price, priced.currency)
    unpriced = priced.unpriced if row_type == UNBILLED else None
    return Row(
        row_type, billing_type, quantity, priced.price, amount, priced.currency, priced.rate_id,
        priced.exchange_rate_id, unpriced,
    )  # fmt: skip
