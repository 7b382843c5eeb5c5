"""Positions know which log they are of; what operators do to them is kept."""

from proforma.position_tables import add_positions_log

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    add_positions_log()
