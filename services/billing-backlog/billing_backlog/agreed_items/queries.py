"""SQL of agreed items: the open items of milestones and product lines, each under its source's own id."""

from billing_backlog.schedule_rows.queries import MISSING_FOR_AGREED

# A line's milestones are billed only as a whole: `l` is the fixed-price line (domain §2.4).
ADDS_UP = (
    "l.contracted_amount = (select coalesce(sum(parts.amount), 0) from milestones parts"
    " where parts.contract_line_id = l.id)"
)

# The live billed row of a milestone or product line, of which there is one at the most (design §5.3).
BILLED = """
left join lateral (
  select a.invoice_id, a.amount from actuals a
  where a.item_id = {id} and a.type = 'billed_sales' and a.reverses is null
    and not exists (select from actuals r where r.reverses = a.id)
  order by a.id desc limit 1) b on true
"""

# What no item and no bill stands behind was given up with its contract.
STATUS = (
    "case when i.id is not null then i.billing_status when b.invoice_id is not null then 'posted' else 'canceled' end"
)

# Why it is not ready or will not be picked up; $1 is now, {date} its day. Terms of work do not hold for it: neither the
# line's billing start nor the contract's end keeps an agreed sum from being billed.
REASONS = f"""array_remove(array[
  case when i.billing_status = 'unbilled' then 'not_ready' end,
  case when {STATUS} in ('on_invoice', 'posted', 'canceled') then {STATUS} end,
  case when i.billing_status in ('unbilled', 'ready') and l.kind = 'project' and not ({ADDS_UP})
       then 'milestones_do_not_add_up' end,
  case when i.billing_status in ('unbilled', 'ready')
        and i.date > ($1::timestamptz at time zone c.time_zone)::date then 'future_dated' end,
  case when i.billing_status in ('unbilled', 'ready') and c.status <> 'active' then 'contract_not_active' end,
  case when {MISSING_FOR_AGREED} then 'schedule_missing' end
], null)"""

STANDING = f"""
select w.id, {STATUS} as billing_status, coalesce(k.invoice_id, b.invoice_id) as invoice_id,
       exists (select from actuals a where a.item_id = w.id) as ever_billed
from unnest($1::uuid[]) w (id)
left join items i on i.id = w.id
left join claims k on k.id = i.claim_id
{BILLED.format(id="w.id")}
"""

# Makes the items of new sources, and brings those of edited ones up to date; what is on an invoice is not touched.
_PUT = """
insert into items (id, contract_id, contract_line_id, class, source, product, date, quantity, unit, price, amount, tax,
                   currency, billing_type, description, external_description, has_cost_price, billing_status,
                   changed_by, changed_at)
{source}
on conflict (id) do update set
  product = excluded.product, date = {date}, quantity = excluded.quantity, unit = excluded.unit,
  price = excluded.price, amount = excluded.amount, tax = excluded.tax, description = excluded.description,
  external_description = excluded.external_description, changed_by = excluded.changed_by,
  changed_at = excluded.changed_at
where items.billing_status in ('unbilled', 'ready')
"""
PUT_MILESTONES = _PUT.format(
    source="""
select m.id, m.contract_id, m.contract_line_id, 'milestone', 'milestone', null, m.date, 1, 'each', m.amount, m.amount,
       m.tax, c.currency, 'chargeable', m.name, m.description, true, 'unbilled', $2, $3
from milestones m join contracts c on c.id = m.contract_id where m.id = any($1::uuid[])
""",
    date="excluded.date",
)
# A product line is dated with the day on which it was made, in its contract's zone.
PUT_PRODUCTS = _PUT.format(
    source="""
select l.id, l.contract_id, l.id, 'product', 'product', l.product, (l.created_at at time zone c.time_zone)::date,
       l.quantity, l.unit, l.price, l.amount, l.tax, c.currency, 'chargeable', l.name, null, true, 'unbilled', $2,
       $3::timestamptz
from contract_lines l join contracts c on c.id = l.contract_id where l.id = any($1::uuid[]) and l.kind = 'product'
""",
    date="items.date",
)
REMOVE = """
delete from items where id = any($1::uuid[]) and source <> 'backlog' and billing_status in ('unbilled', 'ready')
"""
