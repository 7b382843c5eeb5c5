"""The tables' base class: metadata of this service alone."""

from typing import Any

from sqlalchemy import DateTime, Text
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from proforma.db import new_metadata

# SQLModel's annotations want a class where an instance, which says more, serves just as well.
INSTANT: Any = DateTime(timezone=True)
TEXT: Any = Text()


class Base(SQLModel, registry=registry(metadata=new_metadata())):
    """Base of every table class. They do not validate: schemas do, and CHECKs in the migrations."""
