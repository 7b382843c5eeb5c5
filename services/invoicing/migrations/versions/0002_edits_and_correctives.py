"""Details can be edited, written off and corrected: what they were stays beside what they are."""

from proforma.migrations import execute_script, grant

revision = "0002"
down_revision = "0001"

# `was_` is null on a detail whose figures nobody has changed: it was claimed as it is, and a claim writes nothing more.
TABLES = """
alter table invoice_details
  add column was_quantity numeric,
  add column was_price numeric,
  add column was_amount numeric,
  add column was_tax numeric,
  add column was_billing_type text,
  add column remainder text,
  add column written_off_from uuid,
  add column original_detail_id uuid,
  add column returned_by uuid;
-- One corrective at a time: two that replace the same billing would take it back twice.
create unique index invoice_details_original_detail_id_idx on invoice_details (original_detail_id)
  where original_detail_id is not null;
create index invoices_original_id_idx on invoices (original_id) where original_id is not null;
"""

# As before, and what is paid stays paid.
FINAL = """
create or replace function refuse_change_of_settled_invoice() returns trigger
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
     or (old.status = 'paid' and new.status <> 'paid')
     or to_jsonb(new) - free is distinct from to_jsonb(old) - free then
    raise exception 'invoice % is %: it cannot be changed', old.id, old.status using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
"""

# Which item, claim and contract line a detail bills, and which detail it corrects, is fixed when it is made.
RIGHTS = (
    "grant update (project, task, resource, role, category, product, date, quantity, unit, price, amount, tax,"
    " billing_type, description, external_description, was_quantity, was_price, was_amount, was_tax,"
    " was_billing_type, remainder) on invoice_details to $service",
)


def upgrade() -> None:
    execute_script(TABLES)
    execute_script(FINAL)
    for right in RIGHTS:
        grant(right)
