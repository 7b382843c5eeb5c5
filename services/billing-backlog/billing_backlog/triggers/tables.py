"""Triggers that came before their day."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from billing_backlog.base import INSTANT, TEXT, Base


class WaitingTrigger(Base, table=True):
    """Runs when its date begins in the contract's zone; with a `problem` it waits to be asked for again."""

    __tablename__ = "waiting_triggers"
    __table_args__ = (
        UniqueConstraint("contract_line_id", "run_date"),
        Index("waiting_triggers_due_idx", "due_at", "id", postgresql_where=text("problem is null")),
    )

    id: UUID = Field(primary_key=True)
    contract_id: UUID
    contract_line_id: UUID
    run_date: date
    due_at: datetime = Field(sa_type=INSTANT)
    received_at: datetime = Field(sa_type=INSTANT)
    problem: str | None = Field(default=None, sa_type=TEXT)
