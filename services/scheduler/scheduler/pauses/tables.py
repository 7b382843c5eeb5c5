"""Who paused and resumed a schedule, when and why."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field

from scheduler.base import INSTANT, TEXT, Base


class ScheduleHistory(Base, table=True):
    """One pause or resumption. A resumption says what it did with the triggers that were due."""

    __tablename__ = "schedule_history"

    schedule_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    action: str = Field(sa_type=TEXT)
    at: datetime = Field(sa_type=INSTANT)
    by: str = Field(sa_type=TEXT)
    reason: str | None = Field(default=None, sa_type=TEXT)
    published_trigger_id: UUID | None = None
    superseded: int
