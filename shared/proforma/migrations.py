"""Migrations: one Alembic history per service, run by the owner's login; the kernel's tables are part of each."""

from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command, context, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

LOCK = 0x6D696772  # "migr"
_LOCK_TIMEOUT_S = 5

KERNEL = """
create table database_identity (
  origin uuid not null default gen_random_uuid(),
  only_one boolean primary key default true check (only_one)
);
insert into database_identity default values;

create table outbox (
  id bigint generated always as identity primary key,
  event_id uuid not null unique,
  topic text not null,
  type text not null,
  key text not null,
  trace text not null default '{}',
  body text not null,
  created_at timestamptz not null,
  published boolean not null default false,
  published_at timestamptz,
  -- What Kafka would refuse must fail here, where the caller hears of it: later it would block every event behind it.
  -- A key is a project's code at the longest: 64 characters of 4 bytes.
  constraint outbox_body_check check (octet_length(body) <= 1000000 and octet_length(key) between 1 and 256)
);
alter table outbox alter column body set storage external;
create index outbox_pending_idx on outbox (id) where not published;
create index outbox_published_idx on outbox (published_at) where published;

create table inbox (
  consumer text not null,
  event_id uuid not null,
  received_at timestamptz not null,
  primary key (consumer, event_id)
);
create index inbox_received_at_idx on inbox (received_at);

create table consumed (
  consumer text not null,
  topic text not null,
  partition int not null,
  next_offset bigint not null,
  updated_at timestamptz not null default now(),
  primary key (consumer, topic, partition)
);

create table dead_letters (
  id uuid primary key,
  consumer text not null,
  topic text not null,
  partition int not null,
  kafka_offset bigint not null,
  event_id uuid,
  event_type text,
  key text,
  headers text not null,
  value bytea,
  reason text not null,
  status text not null check (status in ('waiting', 'replayed', 'dropped')),
  created_at timestamptz not null,
  decided_by text,
  decided_at timestamptz,
  decision_reason text,
  repaired text
);
create index dead_letters_waiting_idx on dead_letters (id) where status = 'waiting';

create table idempotency_keys (
  principal text not null,
  method text not null,
  path text not null,
  key text not null,
  body_hash bytea not null,
  status int,
  headers text,
  body bytea,
  created_at timestamptz not null,
  primary key (principal, method, path, key)
);
create index idempotency_keys_created_at_idx on idempotency_keys (created_at);

create table jobs (
  id uuid primary key,
  kind text not null,
  status text not null check (status in ('queued', 'running', 'succeeded', 'failed', 'canceled')),
  params text not null,
  state text not null default '{}',
  planned boolean not null default false,
  total int,
  done int not null default 0,
  refused int not null default 0,
  result text,
  cancel_requested boolean not null default false,
  created_by text not null,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  progressed_at timestamptz not null,
  lease_owner uuid,
  lease_until timestamptz
);
create index jobs_open_idx on jobs (id) where status in ('queued', 'running');

create table job_targets (
  job_id uuid not null references jobs on delete cascade,
  n int not null,
  target_id uuid not null,
  version int,
  data text,
  primary key (job_id, n)
);

create table job_problems (
  job_id uuid not null references jobs on delete cascade,
  n int not null,
  row int,
  target_id uuid,
  external_id text,
  reason text not null,
  detail text not null,
  primary key (job_id, n)
);
create sequence job_problem_n;

-- Work that waits, whatever the service: each row is something nobody may forget (GET /v1/waiting).
create view kernel_waiting as
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
  from jobs where status in ('queued', 'running');
"""


def create_kernel_tables() -> None:
    """First step of every service's first migration."""
    execute_script(KERNEL)


def execute_script(script: str) -> None:
    """Runs several statements; dollar-quoted bodies (functions, triggers) stay whole."""
    for statement in split_statements(script):
        op.execute(text(statement.replace(":", "\\:")))


def split_statements(script: str) -> list[str]:
    """Statements of a script, cut at semicolons outside of `$$` bodies; comment lines are dropped."""
    lines = [line for line in script.splitlines() if not line.strip().startswith("--")]
    parts = "\n".join(lines).split("$$")
    statements = [""]
    for index, part in enumerate(parts):
        if index % 2:
            statements[-1] += f"$${part}$$"
            continue
        first, *rest = part.split(";")
        statements[-1] += first
        statements.extend(rest)
    return [statement.strip() for statement in statements if statement.strip()]


def grant(service_login_rights: str) -> None:
    """Gives the service's login its rights. The login is the database's name; where it does not exist nothing happens.

    The tables belong to the migrations' login: what the service does not own it cannot alter, and triggers and
    missing rights hold against the service itself.
    """
    script = service_login_rights.replace("'", "''")
    op.execute(
        text(
            "do $do$ declare service text \\:= current_setting('proforma.service_login', true);"
            " begin if service is not null and service <> '' then"
            f" execute replace('{script}', '$service', quote_ident(service)); end if; end $do$"
        )
    )


def concurrently(statement: str) -> None:
    """`create index concurrently …`, outside of any transaction: the table can be written meanwhile.

    Say `if not exists` and drop an invalid one first: what fails halfway leaves that behind.
    """
    with op.get_context().autocommit_block():
        # It waits for every transaction that is older, which is no reason to give up.
        op.execute(text("set lock_timeout = 0"))
        op.execute(text(statement))
        op.execute(text(f"set lock_timeout = '{_LOCK_TIMEOUT_S}s'"))


def run_env(metadata: MetaData) -> None:
    """The body of a service's migrations/env.py."""
    config = context.config
    connection: Connection | None = config.attributes.get("connection")
    if connection is None:
        raise RuntimeError("run migrations by `python -m <service> migrate`")
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        transaction_per_migration=True,
        on_version_apply=_keep_serves_from,  # type: ignore[arg-type]  # Alembic gives more, all by name
    )
    with context.begin_transaction():
        context.run_migrations()


def _keep_serves_from(*, ctx: MigrationContext, step: Any, **_: Any) -> None:
    """In the migration's own transaction: from which release on its database serves, where the migration says so."""
    oldest = getattr(step.up_revision.module, "serves_from", None)
    if oldest is not None and ctx.connection is not None:
        ctx.connection.execute(text("update database_identity set serves_from = :oldest"), {"oldest": oldest})


def alembic_config(folder: Path) -> Config:
    """Alembic's own settings for one service's history; it has no ini file."""
    config = Config()
    config.set_main_option("script_location", str(folder))
    return config


async def upgrade(url: str, folder: Path, service_login: str) -> None:
    """Brings the database at `url` (the owner's login) to the newest revision, alone.

    The session lock makes a second migrate wait: three containers that started at once have raced Alembic before.
    """
    # As in `db`: asyncpg reads the URL itself, with its sslmode.
    connect = partial(asyncpg.connect, url)
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"select pg_advisory_lock({LOCK})"))
            await connection.execute(
                text("select set_config('proforma.service_login', :login, false)"), {"login": service_login}
            )
            # Who waits for a table's lock makes everybody wait who comes after: rather fail, and be run again.
            await connection.execute(text(f"set lock_timeout = '{_LOCK_TIMEOUT_S}s'"))
            await connection.commit()
            await connection.run_sync(_upgrade, alembic_config(folder))
            await connection.commit()
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, config: Config) -> None:
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
