"""Tables of invoice lines and line details."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, Column, Index, Numeric, Text, UniqueConstraint, text
from sqlmodel import Field

from invoicing.base import Base


class InvoiceLine(Base, table=True):
    """One line per contract line, also where nothing of it is billed this time."""

    __tablename__ = "invoice_lines"
    __table_args__ = (UniqueConstraint("invoice_id", "contract_line_id"),)

    invoice_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    contract_line_id: UUID
    name: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    billing_method: str | None = Field(default=None, sa_type=Text)
    includes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    cut_off: dt.date | None = None
    chargeable: Decimal = Field(sa_type=Numeric)
    non_chargeable: Decimal = Field(sa_type=Numeric)
    complimentary: Decimal = Field(sa_type=Numeric)
    tax: Decimal = Field(sa_type=Numeric)
    total: Decimal = Field(sa_type=Numeric)
    details: int = 0


class InvoiceDetail(Base, table=True):
    """One billed item. No foreign keys, and no second index over all rows: see design §7, bulk paths.

    `was_` holds the figures as they were claimed, or billed before where this corrects another detail; null while
    nobody has changed them, and where the detail was added by hand. `returned_by` is the detail of a corrective's chain
    whose confirm gave quantity back to the backlog.
    """

    __tablename__ = "invoice_details"
    __table_args__ = (
        Index(
            "invoice_details_original_detail_id_idx",
            "original_detail_id",
            unique=True,
            postgresql_where=text("original_detail_id is not null"),
        ),
    )

    invoice_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    contract_line_id: UUID
    claim_id: UUID | None = None
    item_id: UUID | None = None
    entry_id: UUID | None = None
    item_class: str = Field(sa_column=Column("class", Text, nullable=False))
    source: str = Field(sa_type=Text)
    project: str | None = Field(default=None, sa_type=Text)
    task: str | None = Field(default=None, sa_type=Text)
    resource: str | None = Field(default=None, sa_type=Text)
    role: str | None = Field(default=None, sa_type=Text)
    category: str | None = Field(default=None, sa_type=Text)
    product: str | None = Field(default=None, sa_type=Text)
    date: dt.date
    quantity: Decimal = Field(sa_type=Numeric)
    unit: str = Field(sa_type=Text)
    price: Decimal = Field(sa_type=Numeric)
    amount: Decimal = Field(sa_type=Numeric)
    tax: Decimal = Field(sa_type=Numeric)
    billing_type: str = Field(sa_type=Text)
    description: str | None = Field(default=None, sa_type=Text)
    external_description: str | None = Field(default=None, sa_type=Text)
    was_quantity: Decimal | None = Field(default=None, sa_type=Numeric)
    was_price: Decimal | None = Field(default=None, sa_type=Numeric)
    was_amount: Decimal | None = Field(default=None, sa_type=Numeric)
    was_tax: Decimal | None = Field(default=None, sa_type=Numeric)
    was_billing_type: str | None = Field(default=None, sa_type=Text)
    remainder: str | None = Field(default=None, sa_type=Text)
    written_off_from: UUID | None = None
    original_detail_id: UUID | None = None
    returned_by: UUID | None = None
