"""Expenses and material beside time; approvals that are asked back, and what the ledger answered."""

from proforma.migrations import execute_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CLASSES = """
alter table entries drop constraint entries_class_check, drop constraint entries_time_check;
alter table entries
  add column category text,
  add column product text,
  add column write_in text,
  -- Per unit, as it was sent: in whatever currency it was paid.
  add column unit_cost numeric check (unit_cost between 0 and 1000000000 and scale(unit_cost) <= 4),
  add column currency text check (currency ~ '^[A-Z]{3}$'),
  add constraint entries_class_check check (class in ('time', 'expense', 'material')),
  add constraint entries_quantity_max_check check (quantity <= 1000000),
  -- Each class has its own fields and no other's: by them the price and the cost are found.
  add constraint entries_time_check check (class <> 'time' or (
    quantity <= 24 and unit = 'hour' and role is not null
    and num_nonnulls(category, product, write_in, unit_cost, currency) = 0)),
  add constraint entries_expense_check check (class <> 'expense' or (
    num_nulls(category, unit_cost, currency) = 0 and num_nonnulls(role, product, write_in) = 0)),
  add constraint entries_material_check check (class <> 'material' or (
    num_nulls(unit_cost, currency) = 0 and num_nonnulls(product, write_in) = 1 and num_nonnulls(role, category) = 0));
"""

CANCELLATIONS = """
alter table entries
  drop constraint entries_status_check, drop constraint entries_decided_check, drop constraint entries_approved_check;
alter table entries
  -- The open question: may this approval be canceled? Its id tells its answer from an older question's.
  add column request_id uuid,
  add column asked_at timestamptz,
  add column asked_by text,
  add column asked_reason text,
  -- The answer to the last question; gone with the next question or approval.
  add column answer_outcome text check (answer_outcome in ('reversed', 'refused')),
  add column answer_reason text,
  add column answer_invoice_id uuid,
  add constraint entries_status_check
    check (status in ('draft', 'submitted', 'approved', 'rejected', 'cancellation_requested')),
  -- Until the ledger has answered the approval holds: its terms stay with the entry.
  add constraint entries_decided_check
    check ((status in ('approved', 'rejected', 'cancellation_requested')) = (decided_by is not null)),
  add constraint entries_approved_check check (
    (status in ('approved', 'cancellation_requested')) = (billable_quantity is not null)
    and (billable_quantity is null or revision >= 1)),
  add constraint entries_question_check check (
    num_nonnulls(request_id, asked_at, asked_by, asked_reason)
      = case when status = 'cancellation_requested' then 4 else 0 end),
  add constraint entries_answer_check check (
    case answer_outcome
      when 'refused' then status = 'approved'
      when 'reversed' then status in ('draft', 'submitted', 'rejected')
      else num_nonnulls(answer_reason, answer_invoice_id) = 0 end);
create index entries_question_idx on entries (asked_at) where status = 'cancellation_requested';

alter table entry_history drop constraint entry_history_action_check;
alter table entry_history add constraint entry_history_action_check check (action in
  ('created', 'imported', 'edited', 'submitted', 'recalled', 'approved', 'rejected', 'deleted',
   'cancellation_requested', 'reversed', 'refused'));

create or replace view waiting as
  select kind, id, since, detail from kernel_waiting
  union all
  select 'cancellation', id::text, asked_at,
         'project ' || project || ', revision ' || revision || ': no answer to the cancellation of its approval'
  from entries where status = 'cancellation_requested';
"""


def upgrade() -> None:
    execute_script(CLASSES)
    execute_script(CANCELLATIONS)
