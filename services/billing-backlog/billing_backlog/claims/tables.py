"""Claims: one taking of items under a run, the only way on to an invoice."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, Integer, Numeric, Text, Uuid, text
from sqlmodel import Field

from billing_backlog.base import Base


class Claim(Base, table=True):
    """`status`: claimed until invoicing says that the draft has it, drafted, or released as a whole."""

    __tablename__ = "claims"
    __table_args__ = (
        Index("claims_run_id_idx", "run_id"),
        Index("claims_contract_id_idx", "contract_id"),
        Index("claims_undrafted_idx", "created_at", postgresql_where=text("status = 'claimed'")),
    )

    id: UUID = Field(primary_key=True)
    run_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    contract_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    items: int = Field(sa_column=Column(Integer, nullable=False))
    amount: Decimal = Field(sa_column=Column(Numeric, nullable=False))
    chunks: int = Field(sa_column=Column(Integer, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    invoice_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    updated_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
