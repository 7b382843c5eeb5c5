"""Alembic's way in: the tables of every noun are known here, so that a test can hold them against the migrations."""

import billing_backlog.contract_lines.tables
import billing_backlog.contracts.tables
import billing_backlog.customers.tables
import billing_backlog.price_lists.tables
import billing_backlog.schedules.tables
import billing_backlog.triggers.tables  # noqa: F401
from billing_backlog.base import Base
from proforma.migrations import run_env

run_env(Base.metadata)
