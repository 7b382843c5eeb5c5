"""The kernel's tables; customers, price lists, contracts and their lines."""

from proforma.migrations import create_kernel_tables, execute_script, grant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
create table customers (
  id uuid primary key,
  external_id text unique,
  name text not null,
  billing_address text,
  payment_terms_days int check (payment_terms_days between 0 and 3650),
  tax_id text,
  version int not null check (version >= 1),
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null
);

create table price_lists (
  id uuid primary key,
  external_id text unique,
  name text not null,
  kind text not null check (kind in ('sales', 'cost')),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  valid_from date,
  valid_to date,
  version int not null check (version >= 1),
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  check (valid_from <= valid_to)
);

create table rates (
  id uuid primary key,
  price_list_id uuid not null references price_lists on delete cascade,
  class text not null check (class in ('time', 'expense', 'material', 'fee')),
  role text,
  category text,
  product text,
  resource text,
  unit text not null,
  method text not null default 'per_unit' check (method in ('per_unit', 'at_cost', 'markup')),
  price numeric(18, 4) check (price >= 0),
  markup_percent numeric(18, 4),
  created_at timestamptz not null,
  -- Time is priced by role. A rate without one would be the price of nobody, or, read loosely, of everybody.
  check (class <> 'time' or role is not null),
  check (method <> 'per_unit' or price is not null),
  -- Two prices for the same work: which one is billed would be chance. Nulls are the same here, not unknown.
  unique nulls not distinct (price_list_id, class, role, category, product, resource)
);

create table contracts (
  id uuid primary key,
  external_id text unique,
  name text not null,
  customer_id uuid not null references customers,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  -- An array has no foreign key: whoever adds to it or deletes a list holds the lock on the use of price lists.
  sales_price_list_ids uuid[] not null default '{}',
  cost_price_list_id uuid references price_lists,
  end_date date,
  time_zone text not null default 'UTC',
  status text not null default 'draft' check (status in ('draft', 'active', 'closed')),
  version int not null check (version >= 1),
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null
);
create index contracts_customer_id_idx on contracts (customer_id);
create index contracts_cost_price_list_id_idx on contracts (cost_price_list_id);

create table contract_lines (
  id uuid primary key,
  external_id text unique,
  contract_id uuid not null references contracts,
  name text not null,
  kind text not null check (kind in ('project')),
  billing_method text not null check (billing_method in ('time_and_material')),
  project text not null,
  -- Null is every task, also that of an entry without one; an empty list would be none and could never match.
  tasks text[] check (cardinality(tasks) > 0),
  includes text[] not null
    check (cardinality(includes) > 0 and includes <@ array['time', 'expense', 'material', 'fee']),
  valid_from date,
  valid_to date,
  billing_start date,
  version int not null check (version >= 1),
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  check (valid_from <= valid_to)
);
create index contract_lines_contract_id_idx on contract_lines (contract_id);
create index contract_lines_project_idx on contract_lines (project);

create view waiting as select kind, id, since, detail from kernel_waiting;
"""


def upgrade() -> None:
    create_kernel_tables()
    execute_script(TABLES)
    grant(
        "grant select, insert, update, delete on outbox, inbox, consumed, dead_letters, idempotency_keys,"
        " jobs, job_targets, job_problems to $service"
    )
    grant("grant select on database_identity, kernel_waiting, waiting, alembic_version to $service")
    grant("grant usage on sequence job_problem_n to $service")
    grant("grant select, insert, update, delete on customers, price_lists, contract_lines to $service")
    # Rates are replaced, never edited; a contract is closed, never deleted: its ledger stays readable through it.
    grant("grant select, insert, delete on rates to $service")
    grant("grant select, insert, update on contracts to $service")
