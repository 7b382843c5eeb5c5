"""What each service's own login may do, table by table, from the database's catalog: a new table must be added here."""

from typing import Any

import asyncpg
import pytest

from tests.conftest import MakeRuntime
from tests.support.databases import PACKAGES
from tests.support.rows import rows, value

# S select, I insert, U update, D delete; after a colon the only columns that may be updated.
KERNEL = {
    "alembic_version": "S",
    "consumed": "SIUD",
    "database_identity": "S: known_as doubt doubt_since purged_to",
    "dead_letters": "SIUD",
    "idempotency_keys": "SIUD",
    "inbox": "SIUD",
    "interventions": "SI",
    "job_problems": "SIUD",
    "job_targets": "SIUD",
    "jobs": "SIUD",
    "kernel_waiting": "S",
    "outbox": "SIUD",
    "restores": "SI",
    "waiting": "S",
}
OWN = {
    "probe": {"effects": "SIUD"},
    "time-expense": {"entries": "SIUD", "entry_history": "SI", "upload_pieces": "SID"},
    "billing-backlog": {
        # The ledger: a row's status follows its item, and nothing else of it ever changes.
        "actuals": "SI: billing_status adjustment",
        "claims": "SIU",
        "contract_lines": "SIUD",
        "contracts": "SIU",
        "customers": "SIUD",
        "entries": "SIU",
        "exchange_rates": "SIUD",
        "invoice_schedules": "SIU",
        "items": "SIUD",
        "journal_lines": "SIU",
        "ledger_waiting": "S",
        "milestones": "SIUD",
        "posting_blocked": "SID",
        "posting_chunks": "SI",
        "postings": "SIU",
        "price_lists": "SIUD",
        "rates": "SID",
        "run_lines": "SIU",
        "runs": "SIU",
        "schedule_exceptions": "SID",
        "schedule_rows": "SID: status run_id claim_id ran_at",
        "schedule_waiting": "S",
        "waiting_triggers": "SIUD",
    },
    "invoicing": {
        "claim_chunks": "SI",
        "claims": "SI: status seen items_seen dropped_at dropped_by",
        # Until the invoice is confirmed: then a trigger refuses what is granted here.
        "invoice_details": "SID: project task resource role category product date quantity unit price amount tax"
        " billing_type description external_description was_quantity was_price was_amount was_tax was_billing_type"
        " remainder",
        "invoice_history": "SI",
        "invoice_lines": "SI: cut_off chargeable non_chargeable complimentary tax total details",
        "invoice_numbers": "SI: last",
        "invoices": "SI: status number invoice_date accounting_date description subtotal tax total details lines"
        " posting posting_reason control_quantity control_amount control_tax confirmed_by confirmed_at version"
        " updated_at",
    },
    "scheduler": {
        "schedule_history": "SI",
        "schedules": "SIU",
        "triggers": "SI: schedule_id schedule_version contract_id cut_off due_at status published_at version"
        " updated_at held",
    },
}
RIGHTS = """
select c.relname::text as name, concat(
  case when has_table_privilege(c.oid, 'select') then 'S' end,
  case when has_table_privilege(c.oid, 'insert') then 'I' end,
  case when has_table_privilege(c.oid, 'update') then 'U' end,
  case when has_table_privilege(c.oid, 'delete') then 'D' end,
  ': ' || case when not has_table_privilege(c.oid, 'update') then (
    select string_agg(a.attname, ' ' order by a.attnum) from pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      and has_column_privilege(c.oid, a.attnum, 'update')) end) as rights
from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1
"""
MORE = """
select c.relname::text || ' ' || p as found from pg_class c, unnest(array['truncate', 'trigger', 'references']) p
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') and has_table_privilege(c.oid, p)
"""
OWNED = """
select 'relation ' || relname as found from pg_class where relowner = current_user::regrole
union all select 'function ' || proname from pg_proc where proowner = current_user::regrole
union all select 'schema ' || nspname from pg_namespace where nspowner = current_user::regrole
union all select 'database ' || datname from pg_database where datdba = current_user::regrole
union all select 'right ' || privilege from (values
  ('superuser', (select rolsuper from pg_roles where rolname = current_user)),
  ('createdb', (select rolcreatedb from pg_roles where rolname = current_user)),
  ('createrole', (select rolcreaterole from pg_roles where rolname = current_user)),
  ('bypassrls', (select rolbypassrls from pg_roles where rolname = current_user)),
  ('replication', (select rolreplication from pg_roles where rolname = current_user)),
  ('create in the schema', has_schema_privilege('public', 'create')),
  ('create in the database', has_database_privilege(current_database(), 'create'))) rights (privilege, held) where held
union all select 'member of ' || roleid::regrole from pg_auth_members where member = current_user::regrole
"""
# For each table, without a where: rights are asked before rows.
REFUSED = (
    "truncate {}", "drop table {} cascade", "alter table {} add column more int", "alter table {} disable trigger all",
    "alter table {} rename to other", "alter table {} owner to current_user", "create index on {} ((1))",
    "create trigger mine before update on {} for each row execute function suppress_redundant_updates_trigger()",
    "create rule mine as on delete to {} do instead nothing", "grant delete on {} to public",
)  # fmt: skip


@pytest.mark.parametrize("name", PACKAGES)
async def test_every_table_has_the_rights_that_are_written_here(make_runtime: MakeRuntime, name: str) -> None:
    runtime = await make_runtime(name)
    found = {row["name"]: row["rights"] for row in await rows(runtime, RIGHTS)}
    assert found == KERNEL | OWN[name]
    assert await rows(runtime, MORE) == []


@pytest.mark.parametrize("name", PACKAGES)
async def test_the_login_owns_nothing_and_can_become_nobody(make_runtime: MakeRuntime, name: str) -> None:
    assert await rows(await make_runtime(name), OWNED) == []


@pytest.mark.parametrize("name", PACKAGES)
async def test_what_guards_a_table_cannot_be_taken_away(make_runtime: MakeRuntime, name: str) -> None:
    runtime = await make_runtime(name)
    tables = [row["name"] for row in await rows(runtime, RIGHTS.replace("'r', 'p', 'v', 'm', 'f'", "'r'"))]
    assert len(tables) >= len(KERNEL) - 2
    login = await runtime.database.connect()
    try:
        for table in tables:
            for statement in REFUSED:
                await refused(login, statement.format(f'"{table}"'))
        await refused(login, "set session_replication_role = replica")
        await refused(login, "create table mine (id int)")
        await refused(login, "drop schema public cascade")
        await refused(login, "alter system set fsync = off")
    finally:
        await login.close()


async def refused(login: Any, statement: str) -> None:
    try:
        await login.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return
    except asyncpg.WrongObjectTypeError as error:  # pragma: no cover
        raise AssertionError(statement) from error
    # GRANT by somebody who may not grant is a warning, and grants nothing.
    assert statement.startswith("grant "), f"not refused: {statement}"
    table = statement.split('"')[1]
    acl = await login.fetchval("select coalesce(relacl::text, '') from pg_class where relname = $1", table)
    assert "{=d" not in acl, f"not refused: {statement}"
    assert ",=d" not in acl, f"not refused: {statement}"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("update actuals set quantity = quantity", "InsufficientPrivilege"),
        ("update actuals set amount = 0", "InsufficientPrivilege"),
        ("delete from actuals", "InsufficientPrivilege"),
    ],
)
async def test_a_ledger_row_never_changes(make_runtime: MakeRuntime, change: str, told: str) -> None:
    runtime = await make_runtime("billing-backlog")
    login = await runtime.database.connect()
    try:
        with pytest.raises(asyncpg.PostgresError) as refusal:
            await login.execute(change)
        assert told in type(refusal.value).__name__
    finally:
        await login.close()


@pytest.mark.parametrize(("name", "table"), [("billing-backlog", "actuals"), ("invoicing", "invoices")])
async def test_their_triggers_are_there_and_fire(make_runtime: MakeRuntime, name: str, table: str) -> None:
    """The second wall, for the owner's login too: `O` fires for everybody who is no replica."""
    runtime = await make_runtime(name)
    enabled = (
        "select array_agg(distinct tgenabled::text) from pg_trigger where tgrelid = $1::regclass and not tgisinternal"
    )
    assert await value(runtime, enabled, table) == ["O"]


async def test_time_outs_are_those_of_the_settings(make_runtime: MakeRuntime) -> None:
    runtime = await make_runtime(
        "probe", statement_timeout_s=7, lock_timeout_s=3, idle_in_transaction_timeout_s=11, pool_size=2
    )
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    assert [await value(runtime, f"show {name}") for name in names] == ["7s", "3s", "11s"]
    assert runtime.database.engine.pool.size() == 2  # type: ignore[attr-defined]
