"""Bodies of invoice schedules."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from billing_backlog.schedules.rules import FIRST_DATE, LAST_DATE, ROWS_MAX, RowStatus, WantedRow
from proforma import pages
from proforma.bodies import UNSENT, ExternalId, Input, Output, Patch, Resource

Status = Literal["active", "ended"]
RowDate = Annotated[date, Field(ge=FIRST_DATE, le=LAST_DATE, examples=["2026-04-01"])]


class ScheduleRowIn(Input):
    """Bill the line on `run_date` (it may lie in the past: then at once); takes work dated up to `cut_off`."""

    run_date: RowDate
    cut_off: RowDate | None = Field(
        default=None, description="Inclusive; not after the run date, default a day before."
    )

    def wanted(self) -> WantedRow:
        return WantedRow(self.run_date, self.cut_off)


Rows = Annotated[list[ScheduleRowIn], Field(max_length=ROWS_MAX, description="Run dates are unique per line.")]


class InvoiceScheduleIn(Input):
    """When a contract line is billed. A line has one schedule."""

    contract_line_id: UUID
    rows: Annotated[Rows, Field(min_length=1)]
    external_id: ExternalId | None = None


class InvoiceSchedulePatch(Patch):
    """An edit. `rows` are all rows to come; what ran stays, and a row that is the same stays with its id."""

    rows: Rows = UNSENT
    external_id: ExternalId | None = UNSENT


class ScheduleRowOut(Output):
    """One row, and what became of it. `skipped`: there was nothing to bill; the run says why."""

    id: UUID
    run_date: date
    cut_off: date
    status: RowStatus
    ran_at: datetime | None
    run_id: UUID | None
    invoices: list[UUID] = Field(description="The invoices that hold what the row took.")


class InvoiceScheduleOut(Resource):
    """The schedule of one contract line."""

    external_id: str | None
    contract_id: UUID
    contract_line_id: UUID
    schedule_version: int = Field(description="Rises with the terms, not with what becomes of the rows.")
    status: Status
    next_run_date: date | None = Field(description="The earliest row that has not run; null without one.")


class InvoiceScheduleWithRows(InvoiceScheduleOut):
    """The schedule with its rows, by run date."""

    rows: list[ScheduleRowOut]


class InvoiceScheduleFilter(Input):
    """Which schedules, and which page of them."""

    contract_id: UUID | None = None
    contract_line_id: UUID | None = None
    status: Status | None = None
    external_id: ExternalId | None = None
    limit: pages.Limit = 100
    after: pages.After = None
