"""Tables of invoices and their history."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, Numeric, Text, UniqueConstraint, text
from sqlmodel import Field

from invoicing.base import Base

_INSTANT = DateTime(timezone=True)
_OPEN = text("status in ('building', 'draft', 'in_review')")


class Invoice(Base, table=True):
    """One invoice. Customer and contract name are copies of what they were when the first claim was taken."""

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("number"),
        Index("invoices_open_run_idx", "run_id", unique=True, postgresql_where=_OPEN),
        Index("invoices_run_id_idx", "run_id"),
        Index("invoices_contract_id_idx", "contract_id", "id"),
        Index("invoices_customer_id_idx", "customer_id", "id"),
        Index("invoices_invoice_date_idx", "invoice_date"),
        Index("invoices_original_id_idx", "original_id", postgresql_where=text("original_id is not null")),
        Index("invoices_building_idx", "id", postgresql_where=text("status = 'building'")),
        Index("invoices_unposted_idx", "id", postgresql_where=text("posting in ('pending', 'blocked')")),
    )

    id: UUID = Field(primary_key=True)
    kind: str = Field(default="invoice", sa_type=Text)
    status: str = Field(default="building", sa_type=Text)
    number: str | None = Field(default=None, sa_type=Text)
    run_id: UUID | None = None
    contract_id: UUID
    contract_name: str = Field(sa_type=Text)
    customer_id: UUID
    customer_name: str = Field(sa_type=Text)
    customer_billing_address: str | None = Field(default=None, sa_type=Text)
    customer_payment_terms_days: int | None = None
    customer_tax_id: str | None = Field(default=None, sa_type=Text)
    currency: str = Field(sa_type=Text)
    invoice_date: dt.date
    accounting_date: dt.date | None = None
    description: str | None = Field(default=None, sa_type=Text)
    original_id: UUID | None = None
    subtotal: Decimal = Field(sa_type=Numeric)
    tax: Decimal = Field(sa_type=Numeric)
    total: Decimal = Field(sa_type=Numeric)
    details: int = 0
    lines: int = 0
    posting: str = Field(default="none", sa_type=Text)
    posting_reason: str | None = Field(default=None, sa_type=Text)
    control_quantity: Decimal | None = Field(default=None, sa_type=Numeric)
    control_amount: Decimal | None = Field(default=None, sa_type=Numeric)
    control_tax: Decimal | None = Field(default=None, sa_type=Numeric)
    confirmed_by: str | None = Field(default=None, sa_type=Text)
    confirmed_at: dt.datetime | None = Field(default=None, sa_column=Column(_INSTANT))
    version: int = 1
    created_at: dt.datetime = Field(sa_column=Column(_INSTANT, nullable=False))
    created_by: str = Field(sa_type=Text)
    updated_at: dt.datetime = Field(sa_column=Column(_INSTANT, nullable=False))

    @property
    def customer(self) -> dict[str, Any]:
        """The copy of the customer, as one thing."""
        return {
            "id": self.customer_id,
            "name": self.customer_name,
            "billing_address": self.customer_billing_address,
            "payment_terms_days": self.customer_payment_terms_days,
            "tax_id": self.customer_tax_id,
        }


class HistoryEntry(Base, table=True):
    """One thing that happened to an invoice; `before` and `after` are JSON."""

    __tablename__ = "invoice_history"

    invoice_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    at: dt.datetime = Field(sa_column=Column(_INSTANT, nullable=False))
    by: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
    before: str | None = Field(default=None, sa_type=Text)
    after: str | None = Field(default=None, sa_type=Text)
