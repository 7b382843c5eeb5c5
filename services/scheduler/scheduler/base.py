"""This service's own registry of tables: Alembic sees these and no other service's."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from proforma.db import new_metadata

TEXT: Any = Text
INSTANT: Any = DateTime(timezone=True)


class Base(SQLModel, registry=registry(metadata=new_metadata())):
    """Base of every table class of the service."""


class ResourceRow(Base):
    """The columns that every resource shows."""

    id: UUID = Field(primary_key=True)
    version: int
    created_at: datetime = Field(sa_type=INSTANT)
    created_by: str = Field(sa_type=TEXT)
    updated_at: datetime = Field(sa_type=INSTANT)
