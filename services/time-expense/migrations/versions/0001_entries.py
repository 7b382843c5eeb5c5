"""The kernel's tables; entries, their history, and uploads on their way in."""

from proforma.migrations import create_kernel_tables, execute_script, grant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
create table entries (
  id uuid primary key,
  external_id text unique,
  class text not null check (class in ('time')),
  project text not null,
  task text,
  resource text not null,
  role text,
  date date not null,
  quantity numeric(9, 2) not null check (quantity > 0),
  unit text not null,
  description text,
  external_description text,
  status text not null check (status in ('draft', 'submitted', 'approved', 'rejected')),
  revision int not null check (revision >= 0),
  submitted_by text,
  submitted_at timestamptz,
  decided_by text,
  decided_at timestamptz,
  reason text,
  billable_quantity numeric(9, 2) check (billable_quantity >= 0),
  billing_type text check (billing_type in ('chargeable', 'non_chargeable', 'complimentary')),
  version int not null check (version >= 1),
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  -- Hours of one day, by one role: the price is looked up by it.
  constraint entries_time_check check (class <> 'time' or (quantity <= 24 and role is not null)),
  constraint entries_submitted_check check ((status = 'draft') = (submitted_by is null)),
  constraint entries_decided_check check ((status in ('approved', 'rejected')) = (decided_by is not null)),
  -- What was approved is said to the ledger: it needs a quantity to bill and a revision to be known by.
  constraint entries_approved_check
    check ((status = 'approved') = (billable_quantity is not null) and (status <> 'approved' or revision >= 1))
);
create index entries_project_id_idx on entries (project, id);
create index entries_resource_id_idx on entries (resource, id);
create index entries_submitted_by_id_idx on entries (submitted_by, id);
-- Approvers and submitters look at what is still open, which stays few while approved entries grow into millions.
create index entries_open_idx on entries (id) where status <> 'approved';
create index entries_draft_idx on entries (created_by, id) where submitted_by is null;

-- Append-only. One row per version of an entry; it outlives a deleted entry.
create table entry_history (
  entry_id uuid not null,
  version int not null,
  action text not null check (action in
    ('created', 'imported', 'edited', 'submitted', 'recalled', 'approved', 'rejected', 'deleted')),
  status text not null,
  by text not null,
  at timestamptz not null,
  reason text,
  changes text,
  primary key (entry_id, version)
);

-- An upload, whole, in pieces of one size, until its job is over.
create table upload_pieces (
  job_id uuid not null,
  n int not null,
  bytes bytea not null,
  primary key (job_id, n)
);
-- Compressing a piece costs more time than the disk it saves for the minutes that it lives.
alter table upload_pieces alter column bytes set storage external;

create view waiting as select * from kernel_waiting;
"""


def upgrade() -> None:
    create_kernel_tables()
    execute_script(TABLES)
    grant("grant select, insert, update, delete on entries to $service")
    grant("grant select, insert on entry_history to $service")
    grant("grant select, insert, delete on upload_pieces to $service")
    grant(
        "grant select, insert, update, delete on outbox, inbox, consumed, dead_letters, idempotency_keys, jobs,"
        " job_targets, job_problems to $service"
    )
    grant("grant select on database_identity, kernel_waiting, waiting, alembic_version to $service")
    grant("grant usage on sequence job_problem_n to $service")
