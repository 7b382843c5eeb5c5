"""Triggers: one for each row of each schedule, from its announcement to its publication."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from scheduler.base import INSTANT, TEXT, ResourceRow


class Trigger(ResourceRow, table=True):
    """`due_at` is the moment at which `run_date` begins in the contract's time zone."""

    __tablename__ = "triggers"
    __table_args__ = (
        UniqueConstraint("contract_line_id", "run_date", "row_id"),
        CheckConstraint("(status = 'published') = (published_at is not null)", name="published"),
        CheckConstraint("status = 'upcoming' or not held", name="held"),
        Index(
            "triggers_due_idx", "due_at", "id",
            postgresql_include=["run_date"], postgresql_where=text("status = 'upcoming' and not held"),
        ),
        Index("triggers_held_idx", "due_at", postgresql_where=text("held")),
        Index("triggers_schedule_id_idx", "schedule_id", "run_date"),
        Index("triggers_contract_id_idx", "contract_id", "id"),
        Index("triggers_run_date_idx", "run_date", "id"),
    )  # fmt: skip

    schedule_id: UUID
    schedule_version: int
    contract_id: UUID
    contract_line_id: UUID
    row_id: UUID
    run_date: date
    cut_off: date
    due_at: datetime = Field(sa_type=INSTANT)
    status: str = Field(sa_type=TEXT)
    held: bool = False
    published_at: datetime | None = Field(default=None, sa_type=INSTANT)
