"""What a database must know of its own past: a step of every history with which an older release can go on."""

from proforma.migrations import execute_script, grant, split_statements

RESTORES = """
alter table database_identity
  -- The oldest release, by its newest revision, that can work with this database (proforma.revisions).
  add column serves_from text,
  -- The incarnation of this database (proforma.known) that was compared with its topics and found complete.
  add column known_as text,
  add column doubt text,
  add column doubt_since timestamptz,
  -- Ids up to here left the outbox as published and old: what topics still hold of them was said by this database.
  add column purged_to bigint not null default 0;

create table restores (
  id bigint generated always as identity primary key,
  what text not null check (what in ('accepted', 'adopted', 'ignored')),
  origin uuid,
  events int not null,
  reason text not null,
  decided_by text not null,
  decided_at timestamptz not null,
  constraint restores_origin_check check ((what = 'adopted') = (origin is not null))
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
  from consumed where stopped_because is not null
  union all
  select 'database_in_doubt', 'database', doubt_since, doubt from database_identity where doubt is not null;
"""
RESTORE_RIGHTS = """
grant update (known_as, doubt, doubt_since, purged_to) on database_identity to $service;
grant select, insert on restores to $service;
-- To step past the ids that were said by a database that is gone.
grant usage, select on sequence outbox_id_seq to $service
"""


def create_restore_tables() -> None:
    """Whether the database said what its topics hold, and what was decided when it had not."""
    execute_script(RESTORES)
    for right in split_statements(RESTORE_RIGHTS):
        grant(right)
