"""Copies of the contract lines' schedules."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from scheduler.base import INSTANT, TEXT, ResourceRow


class Schedule(ResourceRow, table=True):
    """What billing-backlog last said of one schedule; its rows are triggers."""

    __tablename__ = "schedules"
    __table_args__ = (
        Index("schedules_contract_id_idx", "contract_id", "id"),
        Index("schedules_contract_line_id_idx", "contract_line_id", "id"),
    )

    contract_id: UUID
    contract_line_id: UUID
    schedule_version: int
    time_zone: str | None = Field(default=None, sa_type=TEXT)
    status: str = Field(sa_type=TEXT)
    paused_at: datetime | None = Field(default=None, sa_type=INSTANT)
    paused_by: str | None = Field(default=None, sa_type=TEXT)

    @property
    def paused(self) -> bool:
        """Its triggers are held back."""
        return self.paused_at is not None
