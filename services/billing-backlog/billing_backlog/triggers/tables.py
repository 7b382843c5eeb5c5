"""Triggers that came before their day."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from billing_backlog.base import INSTANT, Base


class WaitingTrigger(Base, table=True):
    """Runs when its date begins in the contract's zone."""

    __tablename__ = "waiting_triggers"
    __table_args__ = (
        UniqueConstraint("contract_line_id", "run_date"),
        Index("waiting_triggers_due_idx", "due_at", "id"),
    )

    id: UUID = Field(primary_key=True)
    contract_id: UUID
    contract_line_id: UUID
    run_date: date
    due_at: datetime = Field(sa_type=INSTANT)
    received_at: datetime = Field(sa_type=INSTANT)
