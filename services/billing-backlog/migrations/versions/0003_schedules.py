"""Invoice schedules, their rows, and triggers that came before their day."""

from proforma.migrations import execute_script, grant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
create table invoice_schedules (
  id uuid primary key,
  external_id text unique,
  contract_id uuid not null references contracts,
  -- No foreign key: a line without work may be deleted when its schedule has ended, which stays to be read.
  contract_line_id uuid not null,
  -- Rises with the terms, not with what became of the rows: whoever holds a copy takes the highest.
  schedule_version int not null check (schedule_version >= 1),
  status text not null check (status in ('active', 'ended')),
  version int not null check (version >= 1),
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null
);
-- Two schedules of one line would bill it twice on a day that both name.
create unique index invoice_schedules_active_line_key on invoice_schedules (contract_line_id) where status = 'active';
create index invoice_schedules_contract_line_id_idx on invoice_schedules (contract_line_id, id);
create index invoice_schedules_contract_id_idx on invoice_schedules (contract_id, id);

create table schedule_rows (
  id uuid primary key,
  schedule_id uuid not null references invoice_schedules,
  contract_line_id uuid not null,
  run_date date not null,
  cut_off date not null check (cut_off <= run_date),
  status text not null default 'not_run' check (status in ('not_run', 'successful', 'skipped', 'failed')),
  run_id uuid,
  claim_id uuid,
  ran_at timestamptz,
  -- A line runs once on a date, whatever schedule names it: rows that ran stay, so their dates stay taken.
  unique (contract_line_id, run_date),
  check ((status in ('successful', 'skipped')) = (run_id is not null)),
  check ((status = 'successful') = (claim_id is not null)),
  check ((status = 'not_run') = (ran_at is null))
);
create index schedule_rows_schedule_id_idx on schedule_rows (schedule_id, run_date);

create table waiting_triggers (
  id uuid primary key,
  contract_id uuid not null,
  contract_line_id uuid not null,
  run_date date not null,
  -- When the run date begins in the contract's time zone, as that was when the trigger came.
  due_at timestamptz not null,
  received_at timestamptz not null,
  -- Why it could not run on its day; such a one is left alone until it is asked for again.
  problem text,
  unique (contract_line_id, run_date)
);
create index waiting_triggers_due_idx on waiting_triggers (due_at, id) where problem is null;

create view schedule_waiting as
  select 'trigger' as kind, id::text as id, received_at as since,
         'contract line ' || contract_line_id || ' is to run on ' || run_date || coalesce(': ' || problem, '') as detail
  from waiting_triggers;
create or replace view waiting as
  select * from kernel_waiting union all select * from ledger_waiting union all select * from schedule_waiting;
"""

GRANTS = """
grant select, insert, update on invoice_schedules to $service;
grant select, insert, delete on schedule_rows to $service;
grant update (status, run_id, claim_id, ran_at) on schedule_rows to $service;
grant select, insert, update, delete on waiting_triggers to $service;
grant select on schedule_waiting, waiting to $service
"""


def upgrade() -> None:
    execute_script(TABLES)
    grant(GRANTS)
