"""The ledger of actuals, the open items, and what moves them: runs, claims, postings."""

from proforma.migrations import execute_script, grant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
-- One row per entry, locked before anything of the entry moves: two revisions can never post side by side.
create table entries (
  entry_id uuid primary key,
  revision int not null,
  state text not null check (state in ('approved', 'reversed')),
  content_hash bytea not null,
  project text not null,
  updated_at timestamptz not null
);

create table actuals (
  id uuid primary key,
  type text not null check (type in ('cost', 'unbilled_sales', 'billed_sales')),
  class text not null check (class in ('time', 'expense', 'material', 'milestone', 'product', 'fee')),
  billing_type text check (billing_type in ('chargeable', 'non_chargeable', 'complimentary')),
  cause text not null check (cause in
    ('approve', 'cancel', 'confirm', 'correct', 're-evaluate', 're-price', 'set-billing-type', 'journal', 'close')),
  date date not null,
  accounting_date date not null,
  posted_at timestamptz not null,
  posted_by text not null,
  quantity numeric not null,
  unit text not null,
  price numeric,
  amount numeric,
  tax numeric,
  currency text,
  rate_id uuid,
  project text,
  task text,
  resource text,
  role text,
  category text,
  product text,
  description text,
  external_description text,
  contract_id uuid,
  contract_line_id uuid,
  entry_id uuid,
  entry_revision int,
  invoice_id uuid,
  invoice_detail_id uuid,
  reverses uuid unique,
  replaces uuid,
  billing_status text check (billing_status in ('unbilled', 'posted', 'canceled', 'cost_only')),
  adjustment text check (adjustment in ('adjusted', 'unadjustable')),
  -- Without a price there is no amount; 0 would be billed as a gift.
  constraint actuals_price_check check ((price is null) = (amount is null)),
  constraint actuals_currency_check check (amount is null or currency is not null)
);
create index actuals_contract_id_idx on actuals (contract_id, id);
create index actuals_entry_id_idx on actuals (entry_id) where entry_id is not null;
create index actuals_project_idx on actuals (project, id) where project is not null;
create index actuals_invoice_id_idx on actuals (invoice_id) where invoice_id is not null;
-- A detail is billed once: a second posting of the same detail meets this key.
create unique index actuals_billed_detail_key on actuals (invoice_detail_id)
  where type = 'billed_sales' and reverses is null;

-- Open items only: what is posted leaves for the ledger. Status and claim are in no index, so a claim is a HOT update.
create table items (
  id uuid primary key,
  contract_id uuid,
  contract_line_id uuid,
  class text not null,
  source text not null default 'backlog' check (source in ('backlog', 'milestone', 'product')),
  entry_id uuid,
  entry_revision int,
  project text,
  task text,
  resource text,
  role text,
  category text,
  product text,
  date date not null,
  quantity numeric not null,
  unit text not null,
  price numeric,
  amount numeric,
  tax numeric,
  currency text,
  billing_type text,
  description text,
  external_description text,
  has_cost_price boolean not null,
  billing_status text not null check (billing_status in ('unbilled', 'ready', 'on_invoice', 'cost_only')),
  claim_id uuid,
  changed_by text not null,
  changed_at timestamptz not null,
  -- An item carries its claim exactly while it is on an invoice: that is what a release or a confirmation must match.
  constraint items_claim_check check ((billing_status = 'on_invoice') = (claim_id is not null)),
  constraint items_priced_check check (billing_status not in ('ready', 'on_invoice') or amount is not null),
  constraint items_line_check check (billing_status = 'cost_only' or contract_line_id is not null)
) with (fillfactor = 50);
create index items_contract_id_idx on items (contract_id, id);
create index items_project_idx on items (project, id);
create index items_entry_id_idx on items (entry_id) where entry_id is not null;

create table runs (
  id uuid primary key,
  kind text not null check (kind in ('manual', 'scheduled')),
  contract_id uuid not null,
  run_date date not null,
  cut_off date,
  named_items boolean not null default false,
  status text not null check (status in ('claimed', 'skipped', 'failed')),
  reason text,
  version int not null default 1,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null
);
-- All lines of a contract with the same date share one run, and so one draft, in whatever order triggers come.
create unique index runs_scheduled_key on runs (contract_id, run_date) where kind = 'scheduled';
create index runs_contract_id_idx on runs (contract_id, id);
create index runs_run_date_idx on runs (run_date, id);

create table run_lines (
  run_id uuid not null,
  contract_line_id uuid not null,
  cut_off date not null,
  items int not null,
  amount numeric not null,
  left_out text not null,
  primary key (run_id, contract_line_id)
);

create table claims (
  id uuid primary key,
  run_id uuid not null,
  contract_id uuid not null,
  items int not null,
  amount numeric not null,
  chunks int not null,
  status text not null check (status in ('claimed', 'drafted', 'released')),
  invoice_id uuid,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null
);
create index claims_run_id_idx on claims (run_id);
create index claims_contract_id_idx on claims (contract_id);
create index claims_undrafted_idx on claims (created_at) where status = 'claimed';

create table postings (
  invoice_id uuid primary key,
  contract_id uuid not null,
  number text not null,
  kind text not null,
  accounting_date date not null,
  confirmed_by text not null,
  confirmed_at timestamptz not null,
  status text not null check (status in ('pending', 'posted', 'blocked')),
  reason text,
  chunks int not null,
  seen int not null default 0,
  count_wanted int not null,
  quantity_wanted numeric not null,
  amount_wanted numeric not null,
  tax_wanted numeric not null,
  accepted_by text,
  accept_reason text,
  version int not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index postings_open_idx on postings (created_at) where status <> 'posted';
create index postings_contract_id_idx on postings (contract_id, invoice_id);

create table posting_chunks (
  invoice_id uuid not null,
  chunk int not null,
  primary key (invoice_id, chunk)
);

create table posting_blocked (
  invoice_id uuid not null,
  detail_id uuid not null,
  detail text not null,
  reason text not null,
  primary key (invoice_id, detail_id)
);

create view ledger_waiting as
  select 'claim' as kind, id::text as id, created_at as since,
         'claimed items of contract ' || contract_id || ' are on no draft yet' as detail
  from claims where status = 'claimed'
  union all
  select 'posting', invoice_id::text, created_at,
         'invoice ' || number || ' is ' || status || coalesce(': ' || reason, '')
           || ', ' || seen || ' of ' || chunks || ' chunks'
  from postings where status <> 'posted';
create or replace view waiting as select * from kernel_waiting union all select * from ledger_waiting;

-- The ledger is append-only in the database itself: no row goes, and only the status columns may change.
-- The triggers name the columns, so that a change of status costs nothing.
create function actuals_are_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'actuals are append-only: % is refused, only billing_status and adjustment may change', tg_op;
end $$;
create trigger actuals_no_delete before delete or truncate on actuals
  for each statement execute function actuals_are_append_only();
create trigger actuals_no_update before update of
  id, type, class, billing_type, cause, date, accounting_date, posted_at, posted_by, quantity, unit, price, amount,
  tax, currency, rate_id, project, task, resource, role, category, product, description, external_description,
  contract_id, contract_line_id, entry_id, entry_revision, invoice_id, invoice_detail_id, reverses, replaces
  on actuals for each statement execute function actuals_are_append_only();
"""

GRANTS = """
grant select, insert, update on entries to $service;
grant select, insert on actuals to $service;
grant update (billing_status, adjustment) on actuals to $service;
grant select, insert, update, delete on items to $service;
grant select, insert, update on runs, run_lines, claims, postings to $service;
grant select, insert on posting_chunks to $service;
grant select, insert, delete on posting_blocked to $service;
grant select on ledger_waiting, waiting to $service
"""


def upgrade() -> None:
    execute_script(TABLES)
    grant(GRANTS)
