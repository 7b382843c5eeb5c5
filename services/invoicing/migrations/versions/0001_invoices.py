"""Invoices with their lines and details, claims, numbers and history; what is settled is immutable."""

from proforma.migrations import create_kernel_tables, execute_script, grant

revision = "0001"
down_revision = None

TABLES = """
create table invoices (
  id uuid primary key,
  kind text not null,
  status text not null,
  number text,
  run_id uuid,
  contract_id uuid not null,
  contract_name text not null,
  customer_id uuid not null,
  customer_name text not null,
  customer_billing_address text,
  customer_payment_terms_days int,
  customer_tax_id text,
  currency text not null,
  invoice_date date not null,
  accounting_date date,
  description text,
  original_id uuid,
  subtotal numeric not null,
  tax numeric not null,
  total numeric not null,
  details int not null,
  lines int not null,
  posting text not null,
  posting_reason text,
  control_quantity numeric,
  control_amount numeric,
  control_tax numeric,
  confirmed_by text,
  confirmed_at timestamptz,
  version int not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  constraint invoices_number_key unique (number),
  constraint invoices_kind_check check (kind in ('invoice', 'corrective')),
  constraint invoices_status_check
    check (status in ('building', 'draft', 'in_review', 'confirmed', 'paid', 'discarded')),
  constraint invoices_posting_check check (posting in ('none', 'pending', 'posted', 'blocked')),
  constraint invoices_total_check check (total = subtotal + tax),
  constraint invoices_counts_check check (details >= 0 and lines >= 0),
  -- A number is given at confirm and only there: an open or discarded invoice with a number would be a gap.
  constraint invoices_confirmed_check check (
    case when status in ('confirmed', 'paid')
      then number is not null and accounting_date is not null and confirmed_by is not null and confirmed_at is not null
        and control_quantity is not null and control_amount is not null and control_tax is not null
        and posting <> 'none' and details > 0
      else number is null and posting = 'none' end)
);
-- A second open draft of a run would split its lines over two invoices.
create unique index invoices_open_run_idx on invoices (run_id) where status in ('building', 'draft', 'in_review');
create index invoices_run_id_idx on invoices (run_id);
create index invoices_contract_id_idx on invoices (contract_id, id);
create index invoices_customer_id_idx on invoices (customer_id, id);
create index invoices_invoice_date_idx on invoices (invoice_date);
create index invoices_building_idx on invoices (id) where status = 'building';
create index invoices_unposted_idx on invoices (id) where posting in ('pending', 'blocked');

create table invoice_lines (
  invoice_id uuid not null,
  id uuid not null,
  contract_line_id uuid not null,
  name text not null,
  kind text not null,
  billing_method text,
  includes text[] not null,
  cut_off date,
  chargeable numeric not null,
  non_chargeable numeric not null,
  complimentary numeric not null,
  tax numeric not null,
  total numeric not null,
  details int not null,
  primary key (invoice_id, id),
  constraint invoice_lines_invoice_id_contract_line_id_key unique (invoice_id, contract_line_id),
  constraint invoice_lines_total_check check (total = chargeable + tax),
  constraint invoice_lines_details_check check (details >= 0)
);

-- The hot table: its key and nothing else, because every index and every foreign key costs more than the insert.
create table invoice_details (
  invoice_id uuid not null,
  id uuid not null,
  contract_line_id uuid not null,
  claim_id uuid,
  item_id uuid,
  entry_id uuid,
  class text not null,
  source text not null,
  project text,
  task text,
  resource text,
  role text,
  category text,
  product text,
  date date not null,
  quantity numeric not null,
  unit text not null,
  price numeric not null,
  amount numeric not null,
  tax numeric not null,
  billing_type text not null,
  description text,
  external_description text,
  primary key (invoice_id, id)
);

create table invoice_history (
  invoice_id uuid not null,
  id uuid not null,
  at timestamptz not null,
  by text not null,
  action text not null,
  reason text,
  before text,
  after text,
  primary key (invoice_id, id)
);

create table invoice_numbers (
  year int primary key,
  last int not null,
  constraint invoice_numbers_last_check check (last >= 0)
);

-- A claim that was dropped before any of its chunks came is known by its id alone.
create table claims (
  id uuid primary key,
  status text not null,
  run_id uuid,
  contract_id uuid not null,
  invoice_id uuid,
  chunks int not null,
  seen int not null,
  items int not null,
  items_seen int not null,
  created_at timestamptz not null,
  dropped_at timestamptz,
  dropped_by text,
  constraint claims_status_check check (status in ('live', 'dropped')),
  constraint claims_seen_check check (seen <= chunks and items_seen <= items),
  constraint claims_live_check check (status = 'dropped' or (run_id is not null and invoice_id is not null))
);
create index claims_invoice_id_idx on claims (invoice_id);

create table claim_chunks (
  claim_id uuid not null,
  chunk int not null,
  items int not null,
  received_at timestamptz not null,
  primary key (claim_id, chunk)
);
"""

IMMUTABLE = """
-- Every name is qualified and the path is fixed: the service may make temporary tables, and one called `invoices`
-- would otherwise be the one that is asked.
create function refuse_change_of_settled_invoice() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  still_open constant text[] := array['building', 'draft', 'in_review'];
  free constant text[] := array['status', 'posting', 'posting_reason', 'version', 'updated_at'];
begin
  if tg_op = 'INSERT' then
    if new.status <> all (still_open) then
      raise exception 'an invoice begins as a draft, not as %', new.status using errcode = 'restrict_violation';
    end if;
    return new;
  end if;
  if old.status = any (still_open) then
    if tg_op = 'DELETE' then return old; end if;
    return new;
  end if;
  if tg_op = 'DELETE' then
    raise exception 'invoice % is %: it cannot be deleted', old.id, old.status using errcode = 'restrict_violation';
  end if;
  if old.status = 'discarded' or new.status not in ('confirmed', 'paid')
     or to_jsonb(new) - free is distinct from to_jsonb(old) - free then
    raise exception 'invoice % is %: it cannot be changed', old.id, old.status using errcode = 'restrict_violation';
  end if;
  return new;
end $$;

create trigger settled_invoice before insert or update or delete on invoices
  for each row execute function refuse_change_of_settled_invoice();

-- Once per statement, not per row: 200,000 details come in chunks of 500. The rows of `invoices` are locked FOR SHARE,
-- so that nobody confirms between this look and the end of the transaction that changes the details.
create function refuse_change_in_settled_invoice() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  touched uuid[];
  free int;
begin
  if tg_op = 'INSERT' then
    select array_agg(distinct invoice_id) into touched from added;
  elsif tg_op = 'DELETE' then
    select array_agg(distinct invoice_id) into touched from gone;
  else
    select array_agg(distinct invoice_id) into touched
    from (select invoice_id from added union all select invoice_id from gone) rows;
  end if;
  select count(*) into free
  from (select status from public.invoices where id = any (touched) for share) locked
  where status in ('building', 'draft', 'in_review');
  if free < coalesce(cardinality(touched), 0) then
    raise exception 'an invoice that is not open cannot change: % of % refused', tg_op, tg_table_name
      using errcode = 'restrict_violation';
  end if;
  return null;
end $$;

create trigger settled_lines_insert after insert on invoice_lines referencing new table as added
  for each statement execute function refuse_change_in_settled_invoice();
create trigger settled_lines_update after update on invoice_lines referencing old table as gone new table as added
  for each statement execute function refuse_change_in_settled_invoice();
create trigger settled_lines_delete after delete on invoice_lines referencing old table as gone
  for each statement execute function refuse_change_in_settled_invoice();
create trigger settled_details_insert after insert on invoice_details referencing new table as added
  for each statement execute function refuse_change_in_settled_invoice();
create trigger settled_details_update after update on invoice_details referencing old table as gone new table as added
  for each statement execute function refuse_change_in_settled_invoice();
create trigger settled_details_delete after delete on invoice_details referencing old table as gone
  for each statement execute function refuse_change_in_settled_invoice();
"""

WAITING = """
create view waiting as
  select kind, id, since, detail from kernel_waiting
  union all
  select 'invoice_building', i.id::text, coalesce(min(c.created_at), i.created_at),
         'chunks of ' || count(c.id) || ' claims are missing: wait for them, or drop those claims'
  from invoices i left join claims c on c.invoice_id = i.id and c.status = 'live' and c.seen < c.chunks
  where i.status = 'building' group by i.id
  union all
  select 'posting_' || posting, id::text, confirmed_at,
         number || ': ' || coalesce(posting_reason, 'not in the ledger yet')
  from invoices where posting in ('pending', 'blocked');
"""

RIGHTS = (
    "grant select, insert, update, delete on outbox, inbox, consumed, dead_letters, idempotency_keys, jobs,"
    " job_targets, job_problems to $service",
    "grant select on database_identity, kernel_waiting, waiting, alembic_version to $service",
    "grant usage on sequence job_problem_n to $service",
    "grant select, insert on invoices, invoice_lines, invoice_history, invoice_numbers, claims, claim_chunks"
    " to $service",
    "grant select, insert, delete on invoice_details to $service",
    # Run, contract, customer, currency and origin of an invoice are fixed when it is made.
    "grant update (status, number, invoice_date, accounting_date, description, subtotal, tax, total, details, lines,"
    " posting, posting_reason, control_quantity, control_amount, control_tax, confirmed_by, confirmed_at, version,"
    " updated_at) on invoices to $service",
    "grant update (cut_off, chargeable, non_chargeable, complimentary, tax, total, details) on invoice_lines"
    " to $service",
    "grant update (last) on invoice_numbers to $service",
    "grant update (status, seen, items_seen, dropped_at, dropped_by) on claims to $service",
)


def upgrade() -> None:
    create_kernel_tables()
    execute_script(TABLES)
    execute_script(IMMUTABLE)
    execute_script(WAITING)
    for right in RIGHTS:
        grant(right)
