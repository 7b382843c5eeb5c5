"""What a confirmed invoice has posted."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Column, Date, DateTime, Index, Integer, Numeric, Text, Uuid, text
from sqlmodel import Field

from billing_backlog.base import Base


class Posting(Base, table=True):
    """One confirmed invoice: `pending` until all its chunks are in, then `posted`, or `blocked` with a reason.

    The wanted totals are invoicing's control totals; the ledger's own sums must agree.
    """

    __tablename__ = "postings"
    __table_args__ = (
        Index("postings_open_idx", "created_at", postgresql_where=text("status <> 'posted'")),
        Index("postings_contract_id_idx", "contract_id", "invoice_id"),
    )

    invoice_id: UUID = Field(primary_key=True)
    contract_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    number: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    accounting_date: date = Field(sa_column=Column(Date, nullable=False))
    confirmed_by: str = Field(sa_column=Column(Text, nullable=False))
    confirmed_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    reason: str | None = Field(default=None, sa_column=Column(Text))
    chunks: int = Field(sa_column=Column(Integer, nullable=False))
    seen: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    count_wanted: int = Field(sa_column=Column(Integer, nullable=False))
    quantity_wanted: Decimal = Field(sa_column=Column(Numeric, nullable=False))
    amount_wanted: Decimal = Field(sa_column=Column(Numeric, nullable=False))
    tax_wanted: Decimal = Field(sa_column=Column(Numeric, nullable=False))
    accepted_by: str | None = Field(default=None, sa_column=Column(Text))
    accept_reason: str | None = Field(default=None, sa_column=Column(Text))
    version: int = Field(default=1, sa_column=Column(Integer, nullable=False, server_default=text("1")))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    updated_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class PostingChunk(Base, table=True):
    """A chunk of the confirmation that has come: chunks apply as they come, each once."""

    __tablename__ = "posting_chunks"

    invoice_id: UUID = Field(primary_key=True)
    chunk: int = Field(primary_key=True)


class PostingBlocked(Base, table=True):
    """A confirmed detail that does not match what is claimed, as JSON, with the reason."""

    __tablename__ = "posting_blocked"

    invoice_id: UUID = Field(primary_key=True)
    detail_id: UUID = Field(primary_key=True)
    detail: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
