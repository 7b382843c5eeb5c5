"""What time-expense says: approved entries, and questions whether an approval may be cancelled."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from proforma.envelope import Body, Event
from proforma.money import Price, Quantity, QuantityFromZero

EntryClass = Literal["time", "expense", "material"]
BillingType = Literal["chargeable", "non_chargeable", "complimentary"]


class ApprovedEntry(Body):
    """One approved entry. `revision` counts its approvals; `billing_type` None leaves it to the contract line."""

    id: UUID
    revision: int = Field(ge=1)
    entry_class: EntryClass = Field(alias="class", serialization_alias="class")
    project: str = Field(min_length=1, max_length=64)
    task: str | None = Field(default=None, max_length=64)
    resource: str = Field(min_length=1, max_length=64)
    role: str | None = Field(default=None, max_length=64)
    category: str | None = Field(default=None, max_length=64)
    product: str | None = Field(default=None, max_length=64)
    write_in: str | None = Field(default=None, max_length=64)
    date: date
    quantity: Quantity
    unit: str = Field(max_length=64)
    unit_cost: Price | None = None
    currency: str | None = Field(default=None, pattern="^[A-Z]{3}$")
    description: str | None = Field(default=None, max_length=2000)
    external_description: str | None = Field(default=None, max_length=2000)
    external_id: str | None = Field(default=None, max_length=255)
    submitted_by: str | None = None
    approved_by: str
    approved_at: datetime
    billable_quantity: QuantityFromZero
    billing_type: BillingType | None = None

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, serialize_by_alias=True)


class CancellationRequest(Body):
    """May this revision's approval be cancelled? `request_id` tells its answer from an older question's."""

    id: UUID
    revision: int = Field(ge=1)
    request_id: UUID
    project: str = Field(min_length=1, max_length=64)
    by: str
    at: datetime
    reason: str = Field(max_length=2000)


class CancellationsRequested(Event):
    """Approvals of one project that a manager wants to cancel, 500 at most. Each is answered: reversed, or refused."""

    TYPE: ClassVar[str] = "proforma.time-expense.entries.cancellation-requested.v1"
    TOPIC: ClassVar[str] = "time-expense.entries"

    entries: list[CancellationRequest] = Field(min_length=1, max_length=500)

    def key(self) -> str:
        return self.entries[0].project


class EntriesApproved(Event):
    """Entries of one project that a manager approved, 500 at most."""

    TYPE: ClassVar[str] = "proforma.time-expense.entries.approved.v1"
    TOPIC: ClassVar[str] = "time-expense.entries"

    entries: list[ApprovedEntry] = Field(min_length=1, max_length=500)

    def key(self) -> str:
        return self.entries[0].project
