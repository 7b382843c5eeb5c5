"""Entries and their history. The rules that hold whatever the code does are CHECKs in the migrations."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, Numeric, Text, text
from sqlmodel import Field

from time_expense.base import INSTANT, TEXT, Base
from time_expense.entries.rules import cancellation


class Entry(Base, table=True):
    """One piece of work, expense or material of one resource on one day.

    `version` is its ETag, `revision` counts its approvals. `request_id` and `asked_*` are the open question whether its
    approval may be canceled, `answer_*` what became of the last one.
    """

    __tablename__ = "entries"
    __table_args__ = (
        Index("entries_project_id_idx", "project", "id"),
        Index("entries_resource_id_idx", "resource", "id"),
        Index("entries_submitted_by_id_idx", "submitted_by", "id"),
        Index("entries_open_idx", "id", postgresql_where=text("status <> 'approved'")),
        Index("entries_question_idx", "asked_at", postgresql_where=text("status = 'cancellation_requested'")),
        Index("entries_draft_idx", "created_by", "id", postgresql_where=text("submitted_by is null")),
    )

    id: UUID = Field(primary_key=True)
    external_id: str | None = Field(default=None, sa_type=TEXT, unique=True)
    entry_class: str = Field(sa_column=Column("class", Text, nullable=False))
    project: str = Field(sa_type=TEXT)
    task: str | None = Field(default=None, sa_type=TEXT)
    resource: str = Field(sa_type=TEXT)
    role: str | None = Field(default=None, sa_type=TEXT)
    category: str | None = Field(default=None, sa_type=TEXT)
    product: str | None = Field(default=None, sa_type=TEXT)
    write_in: str | None = Field(default=None, sa_type=TEXT)
    date: dt.date
    quantity: Decimal = Field(sa_column=Column(Numeric(9, 2), nullable=False))
    unit: str = Field(sa_type=TEXT)
    unit_cost: Decimal | None = Field(default=None, sa_column=Column(Numeric))
    currency: str | None = Field(default=None, sa_type=TEXT)
    description: str | None = Field(default=None, sa_type=TEXT)
    external_description: str | None = Field(default=None, sa_type=TEXT)
    status: str = Field(sa_type=TEXT)
    revision: int
    submitted_by: str | None = Field(default=None, sa_type=TEXT)
    submitted_at: dt.datetime | None = Field(default=None, sa_type=INSTANT)
    decided_by: str | None = Field(default=None, sa_type=TEXT)
    decided_at: dt.datetime | None = Field(default=None, sa_type=INSTANT)
    reason: str | None = Field(default=None, sa_type=TEXT)
    billable_quantity: Decimal | None = Field(default=None, sa_column=Column(Numeric(9, 2)))
    billing_type: str | None = Field(default=None, sa_type=TEXT)
    request_id: UUID | None = None
    asked_at: dt.datetime | None = Field(default=None, sa_type=INSTANT)
    asked_by: str | None = Field(default=None, sa_type=TEXT)
    asked_reason: str | None = Field(default=None, sa_type=TEXT)
    answer_outcome: str | None = Field(default=None, sa_type=TEXT)
    answer_reason: str | None = Field(default=None, sa_type=TEXT)
    answer_invoice_id: UUID | None = None
    version: int
    created_at: dt.datetime = Field(sa_type=INSTANT)
    created_by: str = Field(sa_type=TEXT)
    updated_at: dt.datetime = Field(sa_type=INSTANT)

    @property
    def cancellation(self) -> dict[str, Any] | None:
        """The last answer, as the entry shows it."""
        return cancellation(self.answer_outcome, self.answer_reason, self.answer_invoice_id)


class HistoryRow(Base, table=True):
    """What made one version of an entry: append-only, and kept when the entry is deleted."""

    __tablename__ = "entry_history"

    entry_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    action: str = Field(sa_type=TEXT)
    status: str = Field(sa_type=TEXT)
    by: str = Field(sa_type=TEXT)
    at: dt.datetime = Field(sa_type=INSTANT)
    reason: str | None = Field(default=None, sa_type=TEXT)
    changes: str | None = Field(default=None, sa_type=TEXT)
