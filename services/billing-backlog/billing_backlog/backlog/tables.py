"""Open items: what is approved and not yet posted, with the status that billers move."""

import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Date, DateTime, Index, Integer, Numeric, Text, Uuid, text
from sqlmodel import Field

from billing_backlog.base import Base


class Item(Base, table=True):
    """One open item, under the id of its ledger row (unbilled sales; cost for work that no line takes).

    It carries its claim exactly while it is on an invoice. Status and claim are in no index, so that claiming is a
    HOT update; posted and canceled items leave the table, the ledger keeps them.
    """

    __tablename__ = "items"
    __table_args__ = (
        CheckConstraint("(billing_status = 'on_invoice') = (claim_id is not null)", name="claim"),
        CheckConstraint("billing_status not in ('ready', 'on_invoice') or amount is not null", name="priced"),
        CheckConstraint(
            "unpriced is null or (amount is null and unpriced in ('no_price', 'no_exchange_rate'))", name="unpriced"
        ),
        CheckConstraint("billing_status = 'cost_only' or contract_line_id is not null", name="line"),
        Index("items_contract_id_idx", "contract_id", "id"),
        Index("items_project_idx", "project", "id"),
        Index("items_journal_line_id_idx", "journal_line_id", postgresql_where=text("journal_line_id is not null")),
        Index("items_entry_id_idx", "entry_id", postgresql_where=text("entry_id is not null")),
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: UUID = Field(primary_key=True)
    contract_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    contract_line_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    item_class: str = Field(sa_column=Column("class", Text, nullable=False))
    source: str = Field(default="backlog", sa_column=Column(Text, nullable=False, server_default="backlog"))
    entry_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    entry_revision: int | None = Field(default=None, sa_column=Column(Integer))
    project: str | None = Field(default=None, sa_column=Column(Text))
    task: str | None = Field(default=None, sa_column=Column(Text))
    resource: str | None = Field(default=None, sa_column=Column(Text))
    role: str | None = Field(default=None, sa_column=Column(Text))
    category: str | None = Field(default=None, sa_column=Column(Text))
    product: str | None = Field(default=None, sa_column=Column(Text))
    date: datetime.date = Field(sa_column=Column(Date, nullable=False))
    quantity: Decimal = Field(sa_column=Column(Numeric, nullable=False))
    unit: str = Field(sa_column=Column(Text, nullable=False))
    price: Decimal | None = Field(default=None, sa_column=Column(Numeric))
    amount: Decimal | None = Field(default=None, sa_column=Column(Numeric))
    tax: Decimal | None = Field(default=None, sa_column=Column(Numeric))
    currency: str | None = Field(default=None, sa_column=Column(Text))
    journal_line_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    unpriced: str | None = Field(default=None, sa_column=Column(Text))
    billing_type: str | None = Field(default=None, sa_column=Column(Text))
    description: str | None = Field(default=None, sa_column=Column(Text))
    external_description: str | None = Field(default=None, sa_column=Column(Text))
    has_cost_price: bool = Field(sa_column_kwargs={"nullable": False})
    billing_status: str = Field(sa_column=Column(Text, nullable=False))
    claim_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    changed_by: str = Field(sa_column=Column(Text, nullable=False))
    changed_at: datetime.datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
