"""Only reversals are in the index of reversals: a planner that knows no better found "of no reversal" in it, the rest
of the ledger, and read all of that for each row that it looked for."""

from proforma.migrations import concurrently, execute_script

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The new key stands before the old one goes: at no moment could a row be reversed twice.
    concurrently("drop index concurrently if exists actuals_reversal_key")
    concurrently(
        "create unique index concurrently actuals_reversal_key on actuals (reverses) where reverses is not null"
    )
    execute_script("alter table actuals drop constraint actuals_reverses_key")
