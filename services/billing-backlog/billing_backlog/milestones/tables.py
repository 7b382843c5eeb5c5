"""Milestones of fixed-price lines."""

import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Numeric
from sqlmodel import Field

from billing_backlog.base import TEXT, ResourceRow

NUMBER: Any = Numeric()


class Milestone(ResourceRow, table=True):
    """A part of a fixed price. While it is not billed its item, of the same id, stands among the open items."""

    __tablename__ = "milestones"
    __table_args__ = (
        Index("milestones_contract_line_id_idx", "contract_line_id", "date", "id"),
        Index("milestones_contract_id_idx", "contract_id", "id"),
    )

    id: UUID = Field(primary_key=True)
    contract_id: UUID = Field(foreign_key="contracts.id")
    contract_line_id: UUID = Field(foreign_key="contract_lines.id")
    name: str = Field(sa_type=TEXT)
    date: datetime.date
    amount: Decimal = Field(sa_type=NUMBER)
    tax: Decimal = Field(sa_type=NUMBER)
    description: str | None = Field(default=None, sa_type=TEXT)
    split_from: UUID | None = None
