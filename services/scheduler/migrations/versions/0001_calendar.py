"""Kernel tables, the copies of schedules, and their triggers."""

from proforma.migrations import create_kernel_tables, execute_script, grant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
create table schedules (
  id uuid primary key,
  contract_id uuid not null,
  contract_line_id uuid not null,
  schedule_version int not null,
  -- Null only where the schedule ended before any of its rows came.
  time_zone text,
  status text not null check (status in ('active', 'ended')),
  version int not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null
);
create index schedules_contract_id_idx on schedules (contract_id, id);
create index schedules_contract_line_id_idx on schedules (contract_line_id, id);

create table triggers (
  id uuid primary key,
  schedule_id uuid not null,
  schedule_version int not null,
  contract_id uuid not null,
  contract_line_id uuid not null,
  row_id uuid not null,
  run_date date not null,
  cut_off date not null,
  due_at timestamptz not null,
  status text not null check (status in ('upcoming', 'published', 'canceled')),
  published_at timestamptz,
  version int not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  -- One trigger for each row of a contract line and run date, ever. The row is part of the key: a run date that was
  -- moved away and back is another row, and runs.
  constraint triggers_contract_line_id_run_date_row_id_key unique (contract_line_id, run_date, row_id),
  constraint triggers_published_check check ((status = 'published') = (published_at is not null))
);
-- What is due is found by this index alone, however many triggers were published before.
create index triggers_upcoming_idx on triggers (due_at, id) where status = 'upcoming';
create index triggers_schedule_id_idx on triggers (schedule_id, run_date);
create index triggers_contract_id_idx on triggers (contract_id, id);
create index triggers_run_date_idx on triggers (run_date, id);

-- Five minutes: a healthy publisher takes a second. The database's clock is good enough for an alarm.
create view waiting as
  select * from kernel_waiting
  union all
  select 'due_trigger', id::text, due_at,
         'contract line ' || contract_line_id || ' is due on ' || run_date || ' and not published'
  from triggers where status = 'upcoming' and due_at < now() - interval '5 minutes';
"""

GRANTS = """
grant select, insert, update, delete
  on outbox, inbox, consumed, dead_letters, idempotency_keys, jobs, job_targets, job_problems to $service;
grant usage on sequence job_problem_n to $service;
grant select on database_identity, kernel_waiting, waiting, alembic_version to $service;
grant select, insert, update on schedules to $service;
grant select, insert on triggers to $service;
grant update (schedule_id, schedule_version, contract_id, cut_off, due_at, status, published_at, version, updated_at)
  on triggers to $service
"""


def upgrade() -> None:
    create_kernel_tables()
    execute_script(TABLES)
    grant(GRANTS)
