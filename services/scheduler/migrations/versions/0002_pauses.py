"""Schedules can be paused: what is held back is not published, and what was overtaken is superseded."""

from proforma.migrations import execute_script, grant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
alter table schedules
  add column paused_at timestamptz,
  add column paused_by text,
  add constraint schedules_paused_check check ((paused_at is null) = (paused_by is null));

alter table triggers
  drop constraint triggers_status_check,
  add constraint triggers_status_check check (status in ('upcoming', 'published', 'superseded', 'canceled')),
  -- A copy of the schedule's pause, so that finding what is due reads one index and no row of a paused schedule.
  add column held boolean not null default false,
  add constraint triggers_held_check check (status = 'upcoming' or not held);
-- The run date is in it, so that the days that are owed are counted without a look at the table.
create index triggers_due_idx on triggers (due_at, id) include (run_date) where status = 'upcoming' and not held;
drop index triggers_upcoming_idx;
create index triggers_held_idx on triggers (due_at) where held;

create table schedule_history (
  schedule_id uuid not null,
  id uuid not null,
  action text not null check (action in ('paused', 'resumed')),
  at timestamptz not null,
  by text not null,
  reason text,
  published_trigger_id uuid,
  superseded int not null,
  primary key (schedule_id, id),
  constraint schedule_history_paused_check
    check (action = 'resumed' or (published_trigger_id is null and superseded = 0))
);

-- What is held is meant to wait.
create or replace view waiting as
  select * from kernel_waiting
  union all
  select 'due_trigger', id::text, due_at,
         'contract line ' || contract_line_id || ' is due on ' || run_date || ' and not published'
  from triggers where status = 'upcoming' and not held and due_at < now() - interval '5 minutes';
"""

GRANTS = """
grant update (held) on triggers to $service;
grant select, insert on schedule_history to $service
"""


def upgrade() -> None:
    execute_script(TABLES)
    grant(GRANTS)
