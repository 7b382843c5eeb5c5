"""Contracts: the terms under which a customer is billed."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid
from sqlmodel import Field

from billing_backlog.base import TEXT, ResourceRow

UUIDS: Any = ARRAY(Uuid())


class Contract(ResourceRow, table=True):
    """One contract with one customer in one currency; `time_zone` decides what day it is for it."""

    __tablename__ = "contracts"

    name: str = Field(sa_type=TEXT)
    customer_id: UUID = Field(foreign_key="customers.id", index=True)
    currency: str = Field(sa_type=TEXT)
    sales_price_list_ids: list[UUID] = Field(sa_type=UUIDS)
    cost_price_list_id: UUID | None = Field(default=None, foreign_key="price_lists.id", index=True)
    end_date: date | None = None
    time_zone: str = Field(default="UTC", sa_type=TEXT)
    status: str = Field(default="draft", sa_type=TEXT)
