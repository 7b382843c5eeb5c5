"""Alembic's way in: the tables of every noun are known here, so that a test can hold them against the migrations."""

import time_expense.entries.tables
import time_expense.uploads.tables  # noqa: F401
from proforma.migrations import run_env
from time_expense.base import Base

run_env(Base.metadata)
