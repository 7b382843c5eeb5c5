"""Bodies of the backlog: items with their reasons, filters, bulk calls."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field, model_validator

from proforma.bodies import Code, Input, Output
from proforma.events.billing_backlog import ItemClass
from proforma.events.time_expense import BillingType
from proforma.money import Amount, Price, SignedQuantity

BillingStatus = Literal["unbilled", "ready", "on_invoice", "posted", "canceled", "cost_only"]
ItemReason = Literal[
    "not_ready", "no_contract_line", "class_not_included", "contract_not_active", "no_price", "no_exchange_rate",
    "not_chargeable", "no_cost_price", "future_dated", "before_billing_start", "after_contract_end",
    "schedule_missing", "on_invoice", "posted", "canceled",
]  # fmt: skip


class ItemOut(Output):
    """One item: approved work on its way to an invoice. `reasons`: why it is not ready or will not be picked up.

    `no_cost_price` and `not_chargeable` are told but keep nothing from an invoice; with `schedule_missing` no scheduled
    run will take it, a manual one does. `price` and `amount` are null where
    there is no price.
    """

    id: UUID
    item_class: ItemClass = Field(alias="class")
    billing_status: BillingStatus
    reasons: list[ItemReason]
    billing_type: BillingType | None
    date: date
    quantity: SignedQuantity
    unit: str
    price: Price | None
    amount: Amount | None
    tax: Amount | None
    currency: str | None
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
    claim_id: UUID | None
    invoice_id: UUID | None
    changed_by: str
    changed_at: datetime


class ItemFilter(Input):
    """Which items. Open ones by default; with `entry_id`, or `billing_status` posted or canceled, the ledger's too."""

    contract_id: UUID | None = None
    contract_line_id: UUID | None = None
    project: Code | None = None
    entry_id: UUID | None = None
    item_class: ItemClass | None = Field(default=None, alias="class")
    billing_status: BillingStatus | None = None
    billing_type: BillingType | None = None
    reason: ItemReason | None = None
    date_from: date | None = None
    date_to: date | None = None

    @model_validator(mode="after")
    def _reason_is_narrowed(self) -> "ItemFilter":
        # Reasons are computed when read: over everything that would be a scan of the whole backlog.
        if self.reason and not (self.contract_id or self.project or self.entry_id):
            raise ValueError("reason needs contract_id, project or entry_id beside it")
        return self


class ItemQuery(ItemFilter):
    """The list's query."""

    limit: int = Field(default=100, ge=1, le=1000)
    after: str | None = Field(default=None, max_length=512)


class BulkIn(Input):
    """Either `ids` (1,000 at most) or a `filter`."""

    ids: list[UUID] | None = Field(default=None, min_length=1, max_length=1000)
    filter: ItemFilter | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "BulkIn":
        if (self.ids is None) == (self.filter is None):
            raise ValueError("either ids or filter")
        return self
