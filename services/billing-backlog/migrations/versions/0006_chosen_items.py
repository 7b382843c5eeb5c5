"""A run's line of which only chosen items were taken has no cut-off: a refresh does not widen to it."""

from proforma.migrations import execute_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script("alter table run_lines alter column cut_off drop not null")
