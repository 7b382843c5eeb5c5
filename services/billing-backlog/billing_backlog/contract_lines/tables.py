"""Contract lines: which work a contract bills, and how."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text
from sqlmodel import Field

from billing_backlog.base import TEXT, ResourceRow

TEXTS: Any = ARRAY(Text())


class ContractLine(ResourceRow, table=True):
    """A project's work of some classes and tasks (null: all), in a range of days, both inclusive."""

    __tablename__ = "contract_lines"

    contract_id: UUID = Field(foreign_key="contracts.id", index=True)
    name: str = Field(sa_type=TEXT)
    kind: str = Field(default="project", sa_type=TEXT)
    billing_method: str = Field(default="time_and_material", sa_type=TEXT)
    project: str = Field(sa_type=TEXT, index=True)
    tasks: list[str] | None = Field(default=None, sa_type=TEXTS)
    includes: list[str] = Field(sa_type=TEXTS)
    valid_from: date | None = None
    valid_to: date | None = None
    billing_start: date | None = None
