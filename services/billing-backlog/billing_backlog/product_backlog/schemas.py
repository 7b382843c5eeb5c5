"""Bodies of the product backlog."""

import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from proforma import pages
from proforma.bodies import Code, Input, Output
from proforma.money import Amount, Price, Quantity

Status = Literal["unbilled", "ready", "on_invoice", "posted", "canceled"]
ProductReason = Literal[
    "not_ready", "future_dated", "contract_not_active", "schedule_missing", "on_invoice", "posted", "canceled"
]


class ProductItemOut(Output):
    """What a product line bills, under the line's id. `reasons`: why it is not ready or will not be picked up."""

    id: UUID
    item_class: Literal["product"] = Field(alias="class")
    billing_status: Status
    reasons: list[ProductReason]
    date: datetime.date = Field(description="The contract's day on which the line was made.")
    name: str
    product: str
    quantity: Quantity
    unit: str
    price: Price
    amount: Amount
    tax: Amount
    currency: str
    contract_id: UUID
    contract_line_id: UUID
    invoice_id: UUID | None


class ProductFilter(Input):
    """Which product lines: open ones by default, with `billing_status` posted or canceled those."""

    contract_id: UUID | None = None
    contract_line_id: UUID | None = None
    product: Code | None = None
    billing_status: Status | None = None
    date_from: datetime.date | None = Field(default=None, description="This day and later.")
    date_to: datetime.date | None = Field(default=None, description="This day and earlier.")


class ProductQuery(ProductFilter):
    """The list's query."""

    reason: ProductReason | None = None
    limit: pages.Limit = 100
    after: pages.After = None

    @model_validator(mode="after")
    def _reason_is_narrowed(self) -> Self:
        # Reasons are computed when read: over everything that would be a scan of all contracts.
        if self.reason and not (self.contract_id or self.contract_line_id):
            raise ValueError("reason needs contract_id or contract_line_id beside it")
        return self


class ProductBulkFilter(Input):
    """Which open product lines to move."""

    contract_id: UUID | None = None
    contract_line_id: UUID | None = None
    billing_status: Status | None = None
    date_from: datetime.date | None = None
    date_to: datetime.date | None = None


class ProductsIn(Input):
    """Either `ids` (1,000 at most), which are those of the lines, or a `filter`."""

    ids: list[UUID] | None = Field(default=None, min_length=1, max_length=1000)
    filter: ProductBulkFilter | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("either ids or filter")
        return self
