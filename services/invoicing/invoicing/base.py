"""The base of this service's tables, with metadata of its own."""

from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from proforma.db import new_metadata


class Base(SQLModel, registry=registry(metadata=new_metadata())):
    """Every table class of invoicing."""
