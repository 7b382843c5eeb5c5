"""Schedules by frequency beside explicit rows, and those that a fixed price's milestones make."""

from proforma.migrations import execute_script, grant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = """
alter table invoice_schedules
  add column source text not null default 'rows' check (source in ('rows', 'frequency', 'milestones')),
  -- The pattern as it was sent, JSON.
  add column frequency text,
  -- Null: they follow the line's billing start (or the first day) and the contract's end.
  add column start_date date,
  add column end_date date,
  -- The contract's day on which the frequency was given: the start where nothing else says one.
  add column first_day date,
  add column cut_off_days_before int check (cut_off_days_before between 0 and 31),
  -- When rows are generated next, while the contract is active.
  add column extend_at timestamptz;
alter table invoice_schedules
  add constraint invoice_schedules_frequency_check check (
    (source = 'frequency') = (frequency is not null) and (source = 'frequency') = (first_day is not null)
    and (source = 'frequency') = (cut_off_days_before is not null)
    and (source = 'frequency' or (start_date is null and end_date is null))),
  add constraint invoice_schedules_extend_check check (
    extend_at is null or (source = 'frequency' and status = 'active'));
create index invoice_schedules_extend_at_idx on invoice_schedules (extend_at, id) where extend_at is not null;

-- Generated rows follow the terms; those that were named by hand stay when the terms change.
alter table schedule_rows add column generated boolean not null default false;

-- Run dates that were taken out by hand: generating does not bring them back.
create table schedule_exceptions (
  schedule_id uuid not null references invoice_schedules,
  run_date date not null,
  primary key (schedule_id, run_date)
);
"""

GRANTS = """
grant select, insert, delete on schedule_exceptions to $service
"""


def upgrade() -> None:
    execute_script(TABLES)
    grant(GRANTS)
