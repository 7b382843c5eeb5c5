"""Bodies of the ledger: actuals, and the summary of a contract."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from proforma.bodies import Code, Currency, Input, Output
from proforma.events.billing_backlog import ItemClass
from proforma.events.time_expense import BillingType
from proforma.money import Amount, Price, SignedQuantity

ActualType = Literal["cost", "unbilled_sales", "billed_sales"]
Cause = Literal[
    "approve", "cancel", "confirm", "correct", "re-evaluate", "re-price", "set-billing-type", "journal", "close"
]
ActualStatus = Literal["unbilled", "ready", "on_invoice", "posted", "canceled", "cost_only"]
Adjustment = Literal["adjusted", "unadjustable"]


class ActualOut(Output):
    """One ledger row; nothing of it ever changes but `billing_status` and `adjustment`.

    A reversal has the quantity negated and names its original in `reverses`; a billed row names the unbilled one that
    it replaces. `rate_id` and `exchange_rate_id`: what priced it; price and amount are null where there is no price.
    `item_id`: the milestone or product line that a row without an entry bills.
    """

    id: UUID
    type: ActualType
    item_class: ItemClass = Field(alias="class")
    billing_type: BillingType | None
    cause: Cause
    accounting_date: date
    date: date
    posted_at: datetime
    posted_by: str
    quantity: SignedQuantity
    unit: str
    price: Price | None
    amount: Amount | None
    tax: Amount | None
    currency: str | None
    rate_id: UUID | None
    exchange_rate_id: UUID | None
    project: str | None
    task: str | None
    resource: str | None
    role: str | None
    category: str | None
    product: str | None
    description: str | None
    external_description: str | None
    contract_id: UUID | None
    contract_line_id: UUID | None
    entry_id: UUID | None
    entry_revision: int | None
    journal_line_id: UUID | None
    item_id: UUID | None
    invoice_id: UUID | None
    invoice_detail_id: UUID | None
    reverses: UUID | None
    replaces: UUID | None
    billing_status: ActualStatus | None
    adjustment: Adjustment | None


class ActualQuery(Input):
    """The list's filters; ends of ranges are included."""

    type: ActualType | None = None
    item_class: ItemClass | None = Field(default=None, alias="class")
    billing_type: BillingType | None = None
    cause: Cause | None = None
    billing_status: ActualStatus | None = None
    adjustment: Adjustment | None = None
    contract_id: UUID | None = None
    contract_line_id: UUID | None = None
    project: Code | None = None
    entry_id: UUID | None = None
    entry_revision: int | None = Field(default=None, ge=1, le=2**31 - 1)
    journal_line_id: UUID | None = None
    item_id: UUID | None = None
    invoice_id: UUID | None = None
    invoice_detail_id: UUID | None = None
    reverses: UUID | None = None
    replaces: UUID | None = None
    currency: Currency | None = None
    quantity: SignedQuantity | None = None
    price: Price | None = None
    amount: Amount | None = None
    tax: Amount | None = None
    date_from: date | None = None
    date_to: date | None = None
    accounting_date_from: date | None = Field(default=None, description="The first accounting date, included.")
    accounting_date_to: date | None = Field(default=None, description="The last accounting date, included.")
    posted_from: AwareDatetime | None = Field(default=None, description="RFC 3339, with its time zone.")
    posted_to: AwareDatetime | None = Field(default=None, description="RFC 3339, with its time zone.")
    limit: int = Field(default=100, ge=1, le=1000)
    after: str | None = Field(default=None, max_length=512)


class Figures(Output):
    """Sums of one contract line, or of all. Amounts are chargeable only, cost apart.

    `contract_value`: what a fixed-price line was contracted for, or what a product line costs; `remaining` is that less
    what is billed. Both are null on time and material, which has no ceiling; in all they are those of the other lines.
    """

    contract_value: Amount | None
    cost: Amount
    unbilled: Amount
    ready: Amount
    on_draft: Amount
    billed: Amount
    remaining: Amount | None
    unpriced_items: int


class LineSummary(Figures):
    """One contract line."""

    contract_line_id: UUID
    name: str


class SummaryOut(Output):
    """Where a contract stands, in its currency; costs in `cost_currency`, null where there is more than one."""

    contract_id: UUID
    currency: str
    cost_currency: str | None
    total: Figures
    lines: list[LineSummary]
