"""Journal lines: unbilled sales without an entry."""

import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, Numeric, Text
from sqlmodel import Field

from billing_backlog.base import TEXT, ResourceRow

NUMBER: Any = Numeric()


class JournalLine(ResourceRow, table=True):
    """What is to be billed on somebody's word. Its row of the ledger, and its item at first, have its id."""

    __tablename__ = "journal_lines"
    __table_args__ = (
        Index("journal_lines_contract_id_idx", "contract_id", "id"),
        Index("journal_lines_contract_line_id_idx", "contract_line_id", "id"),
    )

    id: UUID = Field(primary_key=True)
    contract_id: UUID = Field(foreign_key="contracts.id")
    contract_line_id: UUID = Field(foreign_key="contract_lines.id")
    item_class: str = Field(sa_column=Column("class", Text, nullable=False))
    date: datetime.date
    quantity: Decimal = Field(sa_type=NUMBER)
    unit: str = Field(sa_type=TEXT)
    price: Decimal = Field(sa_type=NUMBER)
    amount: Decimal = Field(sa_type=NUMBER)
    tax: Decimal = Field(sa_type=NUMBER)
    description: str | None = Field(default=None, sa_type=TEXT)
    external_description: str | None = Field(default=None, sa_type=TEXT)
    status: str = Field(default="open", sa_type=TEXT)
