"""What positions need in a service's database: a step of every history with which an older release can go on."""

from proforma.migrations import execute_script, grant

# Columns are added and none is asked for: a release that does not know them writes positions without a log, which the
# next one that does believes once.
POSITIONS = """
alter table consumed
  add column cluster_id text,
  add column topic_id uuid,
  add column stopped_since timestamptz,
  add column stopped_because text;

-- What an operator did to positions and to the outbox by hand, and why. Nothing of it is ever changed.
create table interventions (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('position_set', 'sent_again')),
  topic text not null,
  partition int,
  detail text not null,
  reason text not null check (reason <> ''),
  decided_by text not null,
  decided_at timestamptz not null
);

create or replace view kernel_waiting as
  select 'outbox' as kind, 'outbox' as id, created_at as since,
         'oldest of ' || (select count(*) from outbox where not published) || ' events that Kafka does not have'
           as detail
  from (select created_at from outbox where not published order by id limit 1) oldest
  union all
  select 'dead_letter', id::text, created_at, coalesce(event_type, 'no type') || ': ' || left(reason, 500)
  from dead_letters where status = 'waiting'
  union all
  select 'job', id::text, progressed_at,
         kind || ' is ' || status || ', ' || done || ' of ' || coalesce(total::text, '?')
  from jobs where status in ('queued', 'running')
  union all
  select 'stopped_partition', topic || '/' || partition, stopped_since, stopped_because
  from consumed where stopped_because is not null;
"""


def add_positions_log() -> None:
    """Positions know their log and why they are stopped; interventions are kept."""
    execute_script(POSITIONS)
    grant("grant select, insert on interventions to $service")
