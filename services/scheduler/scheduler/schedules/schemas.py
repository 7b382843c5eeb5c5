"""Schedules as the API shows them."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from proforma.bodies import Output, Resource
from proforma.pages import After, Limit

Status = Literal["active", "ended"]


class ScheduleOut(Resource):
    """The copy of one contract line's schedule. Its terms are billing-backlog's (`/v1/invoice-schedules`)."""

    contract_id: UUID
    contract_line_id: UUID
    schedule_version: int = Field(description="The newest version of the terms that has come.")
    time_zone: str | None = Field(description="The contract's; null where only the schedule's end has come.")
    status: Status
    paused: bool = Field(description="Its triggers are held back until it is resumed; also those of later versions.")
    paused_by: str | None
    paused_at: datetime | None


class ScheduleRowOut(Output):
    """One row of the schedule, with the state of its trigger."""

    id: UUID
    run_date: date
    cut_off: date
    trigger_id: UUID
    status: Literal["upcoming", "published", "superseded"]
    held: bool = Field(description="Upcoming, and not published as long as the schedule is paused, due or not.")


class ScheduleWithRows(ScheduleOut):
    """A schedule with the rows that are upcoming, were published or were superseded, by run date."""

    rows: list[ScheduleRowOut]


class ScheduleFilter(BaseModel):
    """Which schedules, and which page of them."""

    model_config = ConfigDict(extra="forbid")

    contract_id: UUID | None = None
    contract_line_id: UUID | None = None
    status: Status | None = None
    paused: bool | None = None
    limit: Limit = 100
    after: After = None
