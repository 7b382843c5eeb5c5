"""Alembic's entry: the kernel runs the history against this service's tables."""

from proforma.migrations import run_env
from scheduler.base import Base
from scheduler.pauses import tables as _pauses  # noqa: F401 - table classes register themselves
from scheduler.schedules import tables as _schedules  # noqa: F401
from scheduler.triggers import tables as _triggers  # noqa: F401

run_env(Base.metadata)
