"""Every way work is priced and billed: rates by category and product, exchange rates, fixed price with milestones,
product lines, chargeability, journal lines; and what the ledger must know of them."""

from proforma.migrations import execute_script, grant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PRICES = """
-- One rate for one kind of work in one unit: there is no conversion of units (domain 1.3).
alter table rates drop constraint rates_price_list_id_class_role_category_product_resource_key;
alter table rates add constraint rates_work_key
  unique nulls not distinct (price_list_id, class, role, category, product, resource, unit);
alter table rates add constraint rates_class_check2 check (
  case class when 'time' then category is null and product is null
             when 'expense' then role is null and product is null
             else role is null and category is null end);
alter table rates add constraint rates_method_check2 check (
  (method = 'per_unit') = (price is not null) and (method = 'markup') = (markup_percent is not null));

create table exchange_rates (
  id uuid primary key,
  external_id text unique,
  from_currency text not null check (from_currency ~ '^[A-Z]{3}$'),
  to_currency text not null check (to_currency ~ '^[A-Z]{3}$'),
  date date not null,
  -- How many units of `to_currency` one unit of `from_currency` is.
  rate numeric(18, 8) not null check (rate > 0),
  version int not null check (version >= 1),
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  check (from_currency <> to_currency)
);
-- The newest on or before a day is taken: two of one day would make it chance.
create unique index exchange_rates_day_key on exchange_rates (from_currency, to_currency, date);
"""

LINES = """
alter table contract_lines drop constraint contract_lines_kind_check;
alter table contract_lines drop constraint contract_lines_billing_method_check;
alter table contract_lines alter column billing_method drop not null;
alter table contract_lines alter column project drop not null;
alter table contract_lines alter column includes drop not null;
alter table contract_lines
  add column non_chargeable_roles text[] not null default '{}',
  add column non_chargeable_categories text[] not null default '{}',
  add column non_chargeable_tasks text[] not null default '{}',
  add column contracted_amount numeric,
  add column product text,
  add column quantity numeric,
  add column unit text,
  add column price numeric,
  add column amount numeric,
  add column tax numeric,
  -- A product line that was credited in part is two: this one came from that one.
  add column split_from uuid;
alter table contract_lines
  add constraint contract_lines_kind_check check (kind in ('project', 'product')),
  add constraint contract_lines_billing_method_check
    check (billing_method in ('time_and_material', 'fixed_price')),
  add constraint contract_lines_project_check check (
    (kind = 'project') = (project is not null) and (kind = 'project') = (includes is not null)
    and (kind = 'project') = (billing_method is not null)),
  add constraint contract_lines_product_check check (
    (kind = 'product') = (product is not null) and (kind = 'product') = (quantity is not null)
    and (kind = 'product') = (unit is not null) and (kind = 'product') = (price is not null)
    and (kind = 'product') = (amount is not null) and (kind = 'product') = (tax is not null)),
  add constraint contract_lines_contracted_amount_check check (
    coalesce(billing_method = 'fixed_price', false) = (contracted_amount is not null));

create table milestones (
  id uuid primary key,
  external_id text unique,
  contract_id uuid not null references contracts,
  contract_line_id uuid not null references contract_lines,
  name text not null,
  date date not null,
  amount numeric not null check (amount > 0),
  tax numeric not null check (tax >= 0),
  description text,
  -- One that was credited in part is two: the old one keeps what stays billed, this one has the rest.
  split_from uuid,
  version int not null check (version >= 1),
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null
);
create index milestones_contract_line_id_idx on milestones (contract_line_id, date, id);
create index milestones_contract_id_idx on milestones (contract_id, id);

-- Unbilled sales without an entry. The row of the ledger and its item have this id at first.
create table journal_lines (
  id uuid primary key,
  external_id text unique,
  contract_id uuid not null references contracts,
  contract_line_id uuid not null references contract_lines,
  class text not null check (class in ('time', 'expense', 'material', 'fee')),
  date date not null,
  quantity numeric not null check (quantity > 0),
  unit text not null,
  price numeric not null,
  amount numeric not null,
  tax numeric not null,
  description text,
  external_description text,
  status text not null check (status in ('open', 'canceled')),
  version int not null check (version >= 1),
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null
);
create index journal_lines_contract_id_idx on journal_lines (contract_id, id);
create index journal_lines_contract_line_id_idx on journal_lines (contract_line_id, id);
"""

LEDGER = """
-- The approval as it came: re-evaluation decides anew on what was approved, not on what was made of it.
alter table entries add column content text;
-- A cancellation may come before its approval: what it leaves knows no content to compare with.
alter table entries alter column content_hash drop not null;

alter table actuals
  add column journal_line_id uuid,
  add column exchange_rate_id uuid,
  -- What a billed row without an unbilled one behind it bills: a milestone, or a product line by its id.
  add column item_id uuid;
create index actuals_journal_line_id_idx on actuals (journal_line_id) where journal_line_id is not null;
create index actuals_item_id_idx on actuals (item_id) where item_id is not null;

alter table items
  add column journal_line_id uuid,
  add column unpriced text;
alter table items add constraint items_unpriced_check check (
  unpriced is null or (amount is null and unpriced in ('no_price', 'no_exchange_rate')));
create index items_journal_line_id_idx on items (journal_line_id) where journal_line_id is not null;

drop trigger actuals_no_update on actuals;
create trigger actuals_no_update before update of
  id, type, class, billing_type, cause, date, accounting_date, posted_at, posted_by, quantity, unit, price, amount,
  tax, currency, rate_id, exchange_rate_id, project, task, resource, role, category, product, description,
  external_description, contract_id, contract_line_id, entry_id, entry_revision, journal_line_id, item_id, invoice_id,
  invoice_detail_id, reverses, replaces
  on actuals for each statement execute function actuals_are_append_only();
"""

GRANTS = """
grant select, insert, update, delete on exchange_rates, milestones to $service;
grant select, insert, update on journal_lines to $service
"""


def upgrade() -> None:
    execute_script(PRICES)
    execute_script(LINES)
    execute_script(LEDGER)
    grant(GRANTS)
