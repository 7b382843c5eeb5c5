"""The tables' base class: metadata of this service alone, and the columns that every resource has."""

from collections.abc import Mapping
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

    def change(self, changes: Mapping[str, Any], now: datetime) -> bool:
        """Sets what differs and raises the version once; False, and nothing raised, when all is as it was.

        An edit that changes nothing keeps the version: the next caller's ETag still stands for what they read.
        """
        different = {name: value for name, value in changes.items() if getattr(self, name) != value}
        for name, value in different.items():
            setattr(self, name, value)
        if different:
            self.touch(now)
        return bool(different)

    def touch(self, now: datetime) -> None:
        """A new version of the row, for a change that lies beside it as well."""
        self.version += 1
        self.updated_at = now
