"""What billing-backlog knows of each entry: its highest revision and what became of it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, DateTime, Integer, LargeBinary, Text
from sqlmodel import Field

from billing_backlog.base import Base


class Entry(Base, table=True):
    """One row per entry, locked before anything of the entry moves. `content_hash` tells a repeat from a forgery."""

    __tablename__ = "entries"

    entry_id: UUID = Field(primary_key=True)
    revision: int = Field(sa_column=Column(Integer, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    content_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    project: str = Field(sa_column=Column(Text, nullable=False))
    updated_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
