"""${message}."""

from proforma.migrations import execute_script, grant

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else 'raise NotImplementedError("write this migration")'}
