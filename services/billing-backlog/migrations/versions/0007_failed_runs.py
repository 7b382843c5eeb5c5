"""A run that breaks is a failed run: its rows name it, it waits to be retried, and finding it reads one index."""

from proforma.migrations import execute_script, grant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = """
alter table schedule_rows drop constraint schedule_rows_check1;
alter table schedule_rows
  -- A failed row names the run that is to be retried, as one that ran names the run that billed it.
  add constraint schedule_rows_run_check check (
    case when status in ('successful', 'skipped') then run_id is not null when status = 'not_run' then run_id is null
      else true end);

create index runs_failed_idx on runs (contract_id) where status = 'failed';

-- A run that broke is not asked for by its trigger again, but by its own verb.
create or replace view schedule_waiting as
  select 'trigger' as kind, id::text as id, received_at as since,
         'contract line ' || contract_line_id || ' is to run on ' || run_date as detail
  from waiting_triggers
  union all
  select 'failed_run', r.id::text, r.updated_at,
         'the run of contract ' || r.contract_id || ' for ' || r.run_date || ' failed' || coalesce(': ' || r.reason, '')
  from runs r join contracts c on c.id = r.contract_id
  where r.status = 'failed' and c.status = 'active';

alter table waiting_triggers drop column problem;
create index waiting_triggers_due_idx on waiting_triggers (due_at, id);
"""

GRANTS = """
grant select on schedule_waiting to $service
"""


def upgrade() -> None:
    execute_script(TABLES)
    grant(GRANTS)
