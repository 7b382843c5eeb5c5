"""The kernel's tables, what waits, and a table to see effects in."""

from proforma.migrations import create_kernel_tables, execute_script, grant

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_kernel_tables()
    execute_script("""
        create table effects (
          event_id uuid primary key,
          key text not null,
          value text not null
        );
        create view waiting as
          select * from kernel_waiting
          union all
          select 'effect', event_id::text, timestamptz '2026-03-01T09:00:00Z', value
          from effects where value = 'waits';
    """)
    grant("grant select, insert, update, delete on outbox, inbox, consumed, dead_letters, idempotency_keys, jobs,"
          " job_targets, job_problems to $service")  # fmt: skip
    grant("grant select on database_identity, kernel_waiting, waiting, alembic_version to $service")
    grant("grant usage on sequence job_problem_n to $service")
    grant("grant select, insert, update, delete on effects to $service")
