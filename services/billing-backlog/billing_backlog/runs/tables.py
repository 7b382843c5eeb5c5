"""Invoice runs: why items are billed now."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Boolean, Column, Date, DateTime, Index, Integer, Numeric, Text, Uuid, text
from sqlmodel import Field

from billing_backlog.base import Base


class Run(Base, table=True):
    """One run: a contract's scheduled work of one date, or one manual request."""

    __tablename__ = "runs"
    __table_args__ = (
        Index(
            "runs_scheduled_key",
            "contract_id",
            "run_date",
            unique=True,
            postgresql_where=text("kind = 'scheduled'"),
        ),
        Index("runs_contract_id_idx", "contract_id", "id"),
        Index("runs_run_date_idx", "run_date", "id"),
        Index("runs_failed_idx", "contract_id", postgresql_where=text("status = 'failed'")),
    )

    id: UUID = Field(primary_key=True)
    kind: str = Field(sa_column=Column(Text, nullable=False))
    contract_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    run_date: date = Field(sa_column=Column(Date, nullable=False))
    cut_off: date | None = Field(default=None, sa_column=Column(Date))
    named_items: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    status: str = Field(sa_column=Column(Text, nullable=False))
    reason: str | None = Field(default=None, sa_column=Column(Text))
    version: int = Field(default=1, sa_column=Column(Integer, nullable=False, server_default=text("1")))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    updated_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class RunLine(Base, table=True):
    """What one contract line gave to a run, and how many of its items were left out for which reason (JSON).

    `cut_off` is null where only chosen items of the line were taken.
    """

    __tablename__ = "run_lines"

    run_id: UUID = Field(primary_key=True)
    contract_line_id: UUID = Field(primary_key=True)
    cut_off: date | None = Field(default=None, sa_column=Column(Date))
    items: int = Field(sa_column=Column(Integer, nullable=False))
    amount: Decimal = Field(sa_column=Column(Numeric, nullable=False))
    left_out: str = Field(sa_column=Column(Text, nullable=False))
