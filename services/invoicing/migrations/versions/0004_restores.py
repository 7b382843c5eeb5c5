"""What the database knows of its own past: whether it is older than what was said, and what was decided then."""

from proforma.restore_tables import create_restore_tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
# Releases before this one know of no other revision than their own.
serves_from = "0004"


def upgrade() -> None:
    create_restore_tables()
