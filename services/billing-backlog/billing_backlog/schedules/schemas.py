"""Bodies of invoice schedules."""

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from billing_backlog.frequencies.rules import FIRST_DATE, LAST_DATE
from billing_backlog.frequencies.schemas import FrequencyBody, MonthFrequency, WeekFrequency
from billing_backlog.schedule_rows.rules import CUT_OFF_DAYS_DEFAULT, CUT_OFF_DAYS_MAX, ROWS_MAX, RowStatus, WantedRow
from billing_backlog.variants import wrong
from proforma import pages
from proforma.bodies import UNSENT, ExternalId, Input, Output, Patch, Resource

Status = Literal["active", "ended"]
Source = Literal["rows", "frequency", "milestones"]
RowDate = Annotated[date, Field(ge=FIRST_DATE, le=LAST_DATE, examples=["2026-04-01"])]
AnyFrequency = WeekFrequency | MonthFrequency
OF_FREQUENCY = ("start", "end", "cut_off_days_before")


class ScheduleRowIn(Input):
    """Bill the line on `run_date` (it may lie in the past: then at once); takes work dated up to `cut_off`."""

    run_date: RowDate
    cut_off: RowDate | None = Field(
        default=None,
        description="Inclusive; not after the run date, default a day before, or `cut_off_days_before` days.",
    )

    def wanted(self) -> WantedRow:
        return WantedRow(self.run_date, self.cut_off)


Rows = Annotated[list[ScheduleRowIn], Field(max_length=ROWS_MAX, description="Run dates are unique per line.")]
Start = Annotated[
    RowDate | None,
    Field(
        description="First day, inclusive; null: the line's `billing_start`, or without one the day on which the "
        "frequency is given. Rows are generated from today on, also where it lies in the past."
    ),
]
End = Annotated[RowDate | None, Field(description="Last day, inclusive; null: the contract's `end_date`.")]
DaysBefore = Annotated[
    int, Field(ge=0, le=CUT_OFF_DAYS_MAX, description="How many days before its run date a row's cut-off lies.")
]


class _Terms(Input):
    """When to bill: by frequency, or on explicit rows."""

    frequency: FrequencyBody | None = Field(
        default=None, description="Generates rows, 24 months ahead, and goes on doing so every day."
    )
    start: Start = None
    end: End = None
    cut_off_days_before: DaysBefore = CUT_OFF_DAYS_DEFAULT
    rows: Annotated[Rows, Field(min_length=1)] | None = Field(
        default=None, description="Instead of a frequency: every run date of its own. Run dates are unique per line."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.rows is not None:
            sent = [name for name in ("frequency", *OF_FREQUENCY) if name in self.model_fields_set]
            if sent:
                raise wrong(dict.fromkeys(sent, "not together with rows"), self)
        elif self.frequency is None and self._wants_one():
            raise wrong({"frequency": "a frequency, or rows"}, self)
        return self

    def _wants_one(self) -> bool:
        return True

    def wanted(self) -> list[WantedRow]:
        """The explicit rows."""
        return [row.wanted() for row in self.rows or []]


class InvoiceScheduleIn(_Terms):
    """When a contract line is billed: by `frequency` or on `rows`. A line has one schedule; fixed price needs none."""

    contract_line_id: UUID
    external_id: ExternalId | None = None


class SchedulePreviewIn(_Terms):
    """A schedule that is not kept. The line gives the defaults; a fixed-price line alone shows its milestones' rows."""

    contract_line_id: UUID | None = None
    external_id: ExternalId | None = None

    def _wants_one(self) -> bool:
        return self.contract_line_id is None or bool(self.model_fields_set & {*OF_FREQUENCY})


class InvoiceSchedulePatch(Patch):
    """An edit. `rows` are all rows to come, also those of a frequency: what is not named is taken out, and is not
    generated again. What ran stays, and a row that is the same stays with its id. A frequency and its terms generate
    the rows from today on anew; rows that were named by hand stay."""

    rows: Rows = UNSENT
    frequency: FrequencyBody = UNSENT
    start: Start = UNSENT
    end: End = UNSENT
    cut_off_days_before: DaysBefore = UNSENT
    external_id: ExternalId | None = UNSENT

    @model_validator(mode="after")
    def _one_kind_of_edit(self) -> Self:
        sent = [name for name in ("frequency", *OF_FREQUENCY) if name in self.model_fields_set]
        if sent and "rows" in self.model_fields_set:
            raise wrong(dict.fromkeys(sent, "rows in an edit of their own"), self)
        return self


class PreviewRowOut(Output):
    """A row that would be."""

    run_date: date
    cut_off: date


class SchedulePreviewOut(Output):
    """The rows that a schedule would have now; nothing is kept."""

    start: date | None = Field(description="The first day of a frequency, as the defaults have it.")
    end: date | None = Field(description="The last day of a frequency; null: without end.")
    rows: list[PreviewRowOut]


class ScheduleRowOut(PreviewRowOut):
    """One row, and what became of it. `skipped`: there was nothing to bill; the run says why."""

    id: UUID
    status: RowStatus
    generated: bool = Field(description="False: named by hand; it stays when the frequency changes.")
    ran_at: datetime | None
    run_id: UUID | None
    invoices: list[UUID] = Field(description="The invoices that hold what the row took.")


class InvoiceScheduleOut(Resource):
    """The schedule of one contract line."""

    external_id: str | None
    contract_id: UUID
    contract_line_id: UUID
    source: Source = Field(description="What its rows come from; `milestones`: a fixed price line's open milestones.")
    frequency: AnyFrequency | None
    start: date | None = Field(description="The first day of a frequency as it holds now: its own or the default.")
    end: date | None = Field(description="The last day of a frequency as it holds now; null: without end.")
    cut_off_days_before: int | None
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
