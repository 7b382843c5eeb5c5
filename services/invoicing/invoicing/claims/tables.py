"""Tables of claims and the chunks of them that are in."""

import datetime as dt
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, Text
from sqlmodel import Field

from invoicing.base import Base

_INSTANT = DateTime(timezone=True)


class Claim(Base, table=True):
    """What is known of a claim: `seen` of `chunks` are in. A dropped one stays, so that late chunks find it dropped."""

    __tablename__ = "claims"
    __table_args__ = (Index("claims_invoice_id_idx", "invoice_id"),)

    id: UUID = Field(primary_key=True)
    status: str = Field(default="live", sa_type=Text)
    run_id: UUID | None = None
    contract_id: UUID
    invoice_id: UUID | None = None
    chunks: int
    seen: int = 0
    items: int
    items_seen: int = 0
    created_at: dt.datetime = Field(sa_column=Column(_INSTANT, nullable=False))
    dropped_at: dt.datetime | None = Field(default=None, sa_column=Column(_INSTANT))
    dropped_by: str | None = Field(default=None, sa_type=Text)


class ClaimChunk(Base, table=True):
    """One chunk that is in: its row and its details are inserted in one transaction, so it counts once."""

    __tablename__ = "claim_chunks"

    claim_id: UUID = Field(primary_key=True)
    chunk: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    items: int
    received_at: dt.datetime = Field(sa_column=Column(_INSTANT, nullable=False))
