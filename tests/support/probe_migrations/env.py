"""Alembic's entry."""

from proforma.migrations import run_env
from tests.support.probe import Base

run_env(Base.metadata)
