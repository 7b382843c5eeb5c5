"""Bodies of milestones."""

import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from proforma import pages
from proforma.bodies import UNSENT, Code, Description, ExternalId, Input, Name, Patch, Resource
from proforma.money import Amount

Status = Literal["unbilled", "ready", "on_invoice", "posted", "canceled"]
MilestoneReason = Literal[
    "not_ready",
    "milestones_do_not_add_up",
    "future_dated",
    "contract_not_active",
    "schedule_missing",
    "on_invoice",
    "posted",
    "canceled",
]
Sum = Annotated[Amount, Field(gt=0, description="In the contract's currency, above 0.", examples=["5000.00"])]
Tax = Annotated[Amount, Field(ge=0, description="In the contract's currency.", examples=["950.00"])]
Due = Annotated[
    datetime.date,
    Field(description="A scheduled run takes it from this day on, a manual one at any time.", examples=["2026-10-05"]),
]


class MilestoneIn(Input):
    """A part of a fixed price. A line's milestones are billed once they add up to its contracted amount."""

    contract_line_id: UUID = Field(description="A line with billing method `fixed_price`.")
    name: Name = Field(examples=["Acceptance"])
    date: Due
    amount: Sum
    tax: Tax = Decimal(0)
    description: Description | None = Field(default=None, description="Goes to the customer.")
    external_id: ExternalId | None = None


class MilestonePatch(Patch):
    """An edit of a milestone that is on no invoice."""

    name: Name = UNSENT
    date: Due = UNSENT
    amount: Sum = UNSENT
    tax: Tax = UNSENT
    description: Description | None = UNSENT
    external_id: ExternalId | None = UNSENT


class MilestoneOut(Resource):
    """A milestone and where its billing stands. `reasons`: why it is not ready or will not be picked up."""

    external_id: str | None
    contract_id: UUID
    contract_line_id: UUID
    name: str
    date: datetime.date
    amount: Amount
    tax: Amount
    currency: str
    description: str | None
    billing_status: Status
    reasons: list[MilestoneReason]
    billed: Amount = Field(description="The amount that is posted.")
    open: Amount = Field(description="What is still to be billed.")
    invoice_id: UUID | None = Field(description="The invoice that it is on.")


class MilestoneFilter(Input):
    """Which milestones."""

    contract_id: UUID | None = None
    contract_line_id: UUID | None = None
    billing_status: Status | None = None
    date_from: datetime.date | None = Field(default=None, description="This day and later.")
    date_to: datetime.date | None = Field(default=None, description="This day and earlier.")


class MilestoneQuery(MilestoneFilter):
    """The list's query."""

    external_id: ExternalId | None = None
    project: Code | None = Field(default=None, description="The line's.")
    reason: MilestoneReason | None = None
    limit: pages.Limit = 100
    after: pages.After = None

    @model_validator(mode="after")
    def _reason_is_narrowed(self) -> Self:
        # Reasons are computed when read: over everything that would be a scan of all contracts.
        if self.reason and not (self.contract_id or self.contract_line_id or self.project):
            raise ValueError("reason needs contract_id, contract_line_id or project beside it")
        return self


class MilestonesIn(Input):
    """Either `ids` (1,000 at most) or a `filter`."""

    ids: list[UUID] | None = Field(default=None, min_length=1, max_length=1000)
    filter: MilestoneFilter | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("either ids or filter")
        return self
