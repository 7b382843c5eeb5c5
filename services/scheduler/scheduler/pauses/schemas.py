"""Pausing and resuming as the API takes and shows them."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from proforma.bodies import Input, Output, Reason
from proforma.pages import After, Limit
from scheduler.pauses.rules import Action


class WhyIn(Input):
    """Why the schedule is paused or resumed."""

    reason: Reason | None = Field(default=None, examples=["the customer disputes the rates"])


class HistoryOut(Output):
    """One pause or resumption."""

    id: UUID
    action: Action
    at: datetime
    by: str
    reason: str | None
    published_trigger_id: UUID | None = Field(
        description="The latest trigger that was due when the schedule was resumed; null where none was."
    )
    superseded: int = Field(description="How many earlier triggers were due then, and will never be published.")


class HistoryQuery(BaseModel):
    """Which page of the history."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = 100
    after: After = None
