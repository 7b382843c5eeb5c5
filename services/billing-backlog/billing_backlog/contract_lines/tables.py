"""Contract lines: which work a contract bills, and how."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Numeric, Text
from sqlmodel import Field

from billing_backlog.base import TEXT, ResourceRow

TEXTS: Any = ARRAY(Text())
NUMBER: Any = Numeric()


class ContractLine(ResourceRow, table=True):
    """A project's work of some classes and tasks (null: all) in a range of days, both inclusive; or a product.

    The amount of a product line is quantity × price, rounded once; amounts are in the contract's currency.
    """

    __tablename__ = "contract_lines"

    contract_id: UUID = Field(foreign_key="contracts.id", index=True)
    name: str = Field(sa_type=TEXT)
    kind: str = Field(default="project", sa_type=TEXT)
    billing_method: str | None = Field(default=None, sa_type=TEXT)
    project: str | None = Field(default=None, sa_type=TEXT, index=True)
    tasks: list[str] | None = Field(default=None, sa_type=TEXTS)
    includes: list[str] | None = Field(default=None, sa_type=TEXTS)
    valid_from: date | None = None
    valid_to: date | None = None
    billing_start: date | None = None
    non_chargeable_roles: list[str] = Field(default_factory=list, sa_type=TEXTS)
    non_chargeable_categories: list[str] = Field(default_factory=list, sa_type=TEXTS)
    non_chargeable_tasks: list[str] = Field(default_factory=list, sa_type=TEXTS)
    contracted_amount: Decimal | None = Field(default=None, sa_type=NUMBER)
    product: str | None = Field(default=None, sa_type=TEXT)
    quantity: Decimal | None = Field(default=None, sa_type=NUMBER)
    unit: str | None = Field(default=None, sa_type=TEXT)
    price: Decimal | None = Field(default=None, sa_type=NUMBER)
    amount: Decimal | None = Field(default=None, sa_type=NUMBER)
    tax: Decimal | None = Field(default=None, sa_type=NUMBER)
    split_from: UUID | None = None
