"""The tables' base class: metadata of this service alone, and the columns that every resource has."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from proforma.db import new_metadata

# SQLModel's annotations want a class where an instance, which says more, serves just as well.
INSTANT: Any = DateTime(timezone=True)
TEXT: Any = Text()


class Base(SQLModel, registry=registry(metadata=new_metadata())):
    """Base of every table class. They do not validate: schemas do, and CHECKs in the migrations."""


class ResourceRow(Base):
    """What every resource keeps; `version` is its ETag and rises with every change."""

    id: UUID = Field(primary_key=True)
    external_id: str | None = Field(default=None, sa_type=TEXT, unique=True)
    version: int = 1
    created_at: datetime = Field(sa_type=INSTANT)
    created_by: str = Field(sa_type=TEXT)
    updated_at: datetime = Field(sa_type=INSTANT)
