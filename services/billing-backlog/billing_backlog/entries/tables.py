"""What billing-backlog knows of each entry: its highest revision and what became of it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, DateTime, Integer, LargeBinary, Text
from sqlmodel import Field

from billing_backlog.base import Base


class Entry(Base, table=True):
    """One row per entry, locked before anything of the entry moves.

    `content` is the approval as it came (ApprovedEntry as JSON), `content_hash` tells a repeat from a forgery. Both are
    null where a cancellation came before its approval: what it leaves is a tombstone.
    """

    __tablename__ = "entries"

    entry_id: UUID = Field(primary_key=True)
    revision: int = Field(sa_column=Column(Integer, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    content_hash: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    content: str | None = Field(default=None, sa_column=Column(Text))
    project: str = Field(sa_column=Column(Text, nullable=False))
    updated_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
