"""Invoice schedules: when a contract line is billed."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from billing_backlog.base import INSTANT, TEXT, Base, ResourceRow


class InvoiceSchedule(ResourceRow, table=True):
    """The schedule of one contract line; at most one of a line is active."""

    __tablename__ = "invoice_schedules"
    __table_args__ = (
        Index(
            "invoice_schedules_active_line_key",
            "contract_line_id",
            unique=True,
            postgresql_where=text("status = 'active'"),
        ),
        Index("invoice_schedules_contract_line_id_idx", "contract_line_id", "id"),
        Index("invoice_schedules_contract_id_idx", "contract_id", "id"),
        Index("invoice_schedules_extend_at_idx", "extend_at", "id", postgresql_where=text("extend_at is not null")),
    )

    contract_id: UUID = Field(foreign_key="contracts.id")
    contract_line_id: UUID
    schedule_version: int = 1
    status: str = Field(default="active", sa_type=TEXT)
    source: str = Field(default="rows", sa_type=TEXT)
    frequency: str | None = Field(default=None, sa_type=TEXT)
    start_date: date | None = None
    end_date: date | None = None
    first_day: date | None = None
    cut_off_days_before: int | None = None
    extend_at: datetime | None = Field(default=None, sa_type=INSTANT)


class ScheduleRow(Base, table=True):
    """One run date. Its terms never change: an edit puts another row, with another id, in its place."""

    __tablename__ = "schedule_rows"
    __table_args__ = (
        UniqueConstraint("contract_line_id", "run_date"),
        Index("schedule_rows_schedule_id_idx", "schedule_id", "run_date"),
    )

    id: UUID = Field(primary_key=True)
    schedule_id: UUID = Field(foreign_key="invoice_schedules.id")
    contract_line_id: UUID
    run_date: date
    cut_off: date
    generated: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    status: str = Field(default="not_run", sa_type=TEXT)
    run_id: UUID | None = None
    claim_id: UUID | None = None
    ran_at: datetime | None = Field(default=None, sa_type=INSTANT)


class ScheduleException(Base, table=True):
    """A run date that was taken out by hand: generating does not bring it back."""

    __tablename__ = "schedule_exceptions"

    schedule_id: UUID = Field(foreign_key="invoice_schedules.id", primary_key=True)
    run_date: date = Field(primary_key=True)
