"""Positions know which log they are of; what operators do to them is kept."""

from proforma.position_tables import add_positions_log

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_positions_log()
