"""The ledger of actuals: append-only, no row changes but its two status columns."""

import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Date, DateTime, Index, Integer, Numeric, Text, Uuid, text
from sqlmodel import Field

from billing_backlog.base import Base


class Actual(Base, table=True):
    """One ledger row. Quantity in `unit`, price per unit, amount and tax in `currency`; reversals are negative.

    `billing_status` of unbilled sales: unbilled while its item is open, then posted or canceled.
    """

    __tablename__ = "actuals"
    __table_args__ = (
        CheckConstraint("(price is null) = (amount is null)", name="price"),
        CheckConstraint("amount is null or currency is not null", name="currency"),
        Index("actuals_contract_id_idx", "contract_id", "id"),
        Index("actuals_entry_id_idx", "entry_id", postgresql_where=text("entry_id is not null")),
        Index("actuals_project_idx", "project", "id", postgresql_where=text("project is not null")),
        Index("actuals_journal_line_id_idx", "journal_line_id", postgresql_where=text("journal_line_id is not null")),
        Index("actuals_item_id_idx", "item_id", postgresql_where=text("item_id is not null")),
        Index("actuals_invoice_id_idx", "invoice_id", postgresql_where=text("invoice_id is not null")),
        Index("actuals_reversal_key", "reverses", unique=True, postgresql_where=text("reverses is not null")),
        Index(
            "actuals_billed_detail_key",
            "invoice_detail_id",
            unique=True,
            postgresql_where=text("type = 'billed_sales' and reverses is null"),
        ),
    )

    id: UUID = Field(primary_key=True)
    type: str = Field(sa_column=Column(Text, nullable=False))
    item_class: str = Field(sa_column=Column("class", Text, nullable=False))
    billing_type: str | None = Field(default=None, sa_column=Column(Text))
    cause: str = Field(sa_column=Column(Text, nullable=False))
    accounting_date: datetime.date = Field(sa_column=Column(Date, nullable=False))
    date: datetime.date = Field(sa_column=Column(Date, nullable=False))
    posted_at: datetime.datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    posted_by: str = Field(sa_column=Column(Text, nullable=False))
    quantity: Decimal = Field(sa_column=Column(Numeric, nullable=False))
    unit: str = Field(sa_column=Column(Text, nullable=False))
    price: Decimal | None = Field(default=None, sa_column=Column(Numeric))
    amount: Decimal | None = Field(default=None, sa_column=Column(Numeric))
    tax: Decimal | None = Field(default=None, sa_column=Column(Numeric))
    currency: str | None = Field(default=None, sa_column=Column(Text))
    rate_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    exchange_rate_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    project: str | None = Field(default=None, sa_column=Column(Text))
    task: str | None = Field(default=None, sa_column=Column(Text))
    resource: str | None = Field(default=None, sa_column=Column(Text))
    role: str | None = Field(default=None, sa_column=Column(Text))
    category: str | None = Field(default=None, sa_column=Column(Text))
    product: str | None = Field(default=None, sa_column=Column(Text))
    description: str | None = Field(default=None, sa_column=Column(Text))
    external_description: str | None = Field(default=None, sa_column=Column(Text))
    contract_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    contract_line_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    entry_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    entry_revision: int | None = Field(default=None, sa_column=Column(Integer))
    journal_line_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    item_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    invoice_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    invoice_detail_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    reverses: UUID | None = Field(default=None, sa_column=Column(Uuid))
    replaces: UUID | None = Field(default=None, sa_column=Column(Uuid))
    billing_status: str | None = Field(default=None, sa_column=Column(Text))
    adjustment: str | None = Field(default=None, sa_column=Column(Text))
