"""Price lists and their rates."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Numeric, UniqueConstraint
from sqlmodel import Field

from billing_backlog.base import INSTANT, TEXT, Base, ResourceRow

PRICE: Any = Numeric(18, 4)


class PriceList(ResourceRow, table=True):
    """Rates of one kind in one currency, valid from and to a day, both inclusive; null has no end."""

    __tablename__ = "price_lists"

    name: str = Field(sa_type=TEXT)
    kind: str = Field(sa_type=TEXT)
    currency: str = Field(sa_type=TEXT)
    valid_from: date | None = None
    valid_to: date | None = None


class Rate(Base, table=True):
    """What one unit of work costs. It has no version: it changes with its list."""

    __tablename__ = "rates"
    __table_args__ = (
        UniqueConstraint(
            "price_list_id",
            "class",
            "role",
            "category",
            "product",
            "resource",
            "unit",
            name="rates_work_key",
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: UUID = Field(primary_key=True)
    price_list_id: UUID = Field(foreign_key="price_lists.id", ondelete="CASCADE")
    item_class: str = Field(sa_type=TEXT, sa_column_kwargs={"name": "class"})
    role: str | None = Field(default=None, sa_type=TEXT)
    category: str | None = Field(default=None, sa_type=TEXT)
    product: str | None = Field(default=None, sa_type=TEXT)
    resource: str | None = Field(default=None, sa_type=TEXT)
    unit: str = Field(sa_type=TEXT)
    method: str = Field(sa_type=TEXT)
    price: Decimal | None = Field(default=None, sa_type=PRICE)
    markup_percent: Decimal | None = Field(default=None, sa_type=PRICE)
    created_at: datetime = Field(sa_type=INSTANT)
