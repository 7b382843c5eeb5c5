"""Triggers as the API shows them."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from proforma.bodies import Resource
from proforma.pages import After, Limit
from scheduler.triggers.rules import Status


class TriggerOut(Resource):
    """One run date of one contract line. `due_at`: when that day begins in the contract's time zone."""

    schedule_id: UUID
    schedule_version: int = Field(description="The newest version of the schedule that holds the row.")
    contract_id: UUID
    contract_line_id: UUID
    row_id: UUID = Field(description="The schedule's row; a run date that was moved away and back is another row.")
    run_date: date
    cut_off: date = Field(description="For information: billing-backlog's own row decides.")
    due_at: datetime
    status: Status
    held: bool = Field(description="Upcoming, and not published as long as its schedule is paused, due or not.")
    published_at: datetime | None


class TriggerFilter(BaseModel):
    """Which triggers, and which page of them."""

    model_config = ConfigDict(extra="forbid")

    contract_id: UUID | None = None
    contract_line_id: UUID | None = None
    run_date: date | None = None
    status: Status | None = None
    limit: Limit = 100
    after: After = None
