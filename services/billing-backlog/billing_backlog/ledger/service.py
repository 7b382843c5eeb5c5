"""Posting to the ledger: rows are only ever added, and every one of them is told on the actuals topic."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from proforma import outbox
from proforma.context import Context
from proforma.db import copy, execute, fetch
from proforma.envelope import Outgoing
from proforma.events.billing_backlog import ActualsPosted


@dataclass(frozen=True, slots=True, kw_only=True)
class NewActual:
    """A ledger row to post. `billing_status` of an item that opens: unbilled, or cost_only; null opens none.

    `tax` None is no tax (0 where there is an amount). `unpriced`: why an item that opens has no price.
    `has_cost_price`: whether an item that opens has a known cost; None: it has when a priced cost row comes with it.
    """

    id: UUID
    type: str
    item_class: str
    billing_type: str | None
    cause: str
    accounting_date: date
    date: date
    quantity: Decimal
    unit: str
    price: Decimal | None
    amount: Decimal | None
    currency: str | None
    rate_id: UUID | None
    project: str | None
    task: str | None
    resource: str | None
    role: str | None
    category: str | None
    product: str | None
    description: str | None
    external_description: str | None
    contract_id: UUID | None
    contract_line_id: UUID | None
    entry_id: UUID | None
    entry_revision: int | None
    billing_status: str | None
    tax: Decimal | None = None
    exchange_rate_id: UUID | None = None
    journal_line_id: UUID | None = None
    item_id: UUID | None = None
    invoice_id: UUID | None = None
    invoice_detail_id: UUID | None = None
    replaces: UUID | None = None
    unpriced: str | None = None
    has_cost_price: bool | None = None

    @property
    def taxed(self) -> Decimal | None:
        """The tax to keep."""
        return Decimal(0) if self.tax is None and self.amount is not None else self.tax


_OF_ITEMS = {"tax", "unpriced", "has_cost_price"}
_KEPT = [one.name for one in fields(NewActual) if one.name not in _OF_ITEMS]
_COLUMNS = ["class" if name == "item_class" else name for name in _KEPT]
_ITEM_COLUMNS = [
    "id",
    "contract_id",
    "contract_line_id",
    "class",
    "entry_id",
    "entry_revision",
    "project",
    "task",
    "resource",
    "role",
    "category",
    "product",
    "date",
    "quantity",
    "unit",
    "price",
    "amount",
    "currency",
    "billing_type",
    "description",
    "external_description",
    "journal_line_id",
    "unpriced",
    "billing_status",
]

# Everything that a reversal copies from its original; quantity, amount and tax are negated, price stays (domain §3).
COPIED = (
    "class, billing_type, date, unit, price, currency, rate_id, exchange_rate_id, project, task, resource, role, "
    "category, product, description, external_description, contract_id, contract_line_id, entry_id, entry_revision, "
    "journal_line_id, item_id"
)

TAKE_OPEN = """
delete from items where {which} and billing_status in ('unbilled', 'ready') returning id
"""
ON_CLOSED = "id = any($1::uuid[]) and contract_id in (select id from contracts where status = 'closed')"
REVERSE = f"""
insert into actuals (id, type, cause, accounting_date, posted_at, posted_by, quantity, amount, tax, reverses,
                     billing_status, adjustment, {COPIED})
select n.new_id, a.type, $3, $4, $5, $6, -a.quantity, -a.amount, -a.tax, a.id, 'canceled', 'unadjustable', {COPIED}
from unnest($1::uuid[], $2::uuid[]) n (old_id, new_id) join actuals a on a.id = n.old_id
returning id
"""
CANCEL = "update actuals set billing_status = 'canceled', adjustment = 'adjusted' where id = any($1::uuid[])"

# The typed model is PostedActual; a test holds this form to it. Built here because a large invoice posts 400,000 rows.
# 200 a message fit whatever their codes: 500 of the longest are 1.5 MB, and the posting itself would fail on that.
TELL = """
with told as (
  select a.*, coalesce(contract_id::text, project) as key,
         (row_number() over (partition by coalesce(contract_id::text, project) order by n) - 1) / 200 as chunk
  from unnest($1::uuid[]) with ordinality wanted (actual_id, n) join actuals a on a.id = wanted.actual_id)
select key, '{"actuals":' || json_agg(json_build_object(
  'id', id, 'type', type, 'class', class, 'billing_type', billing_type, 'cause', cause, 'date', date,
  'accounting_date', accounting_date, 'posted_at', posted_at, 'quantity', quantity::text, 'unit', unit,
  'price', price::text, 'amount', amount::text, 'tax', tax::text, 'currency', currency, 'project', project,
  'task', task, 'resource', resource, 'role', role, 'category', category, 'product', product,
  'contract_id', contract_id, 'contract_line_id', contract_line_id, 'entry_id', entry_id,
  'entry_revision', entry_revision, 'invoice_id', invoice_id, 'invoice_detail_id', invoice_detail_id,
  'reverses', reverses, 'replaces', replaces) order by id)::text || '}' as body
from told group by key, chunk order by key, chunk
"""


async def post(session: AsyncSession, context: Context, rows: Sequence[NewActual]) -> None:
    """Appends rows, opens the items among them, and tells the actuals topic."""
    now = context.clock.now()
    records = [(*(getattr(row, name) for name in _KEPT), row.taxed, now, context.actor) for row in rows]
    await copy(session, "actuals", [*_COLUMNS, "tax", "posted_at", "posted_by"], records)
    await _open_items(session, context, rows)
    await tell(session, context, [row.id for row in rows])


async def _open_items(session: AsyncSession, context: Context, rows: Sequence[NewActual]) -> None:
    now = context.clock.now()
    costed = {row.entry_id for row in rows if row.type == "cost" and row.price is not None}
    names = ["item_class" if name == "class" else name for name in _ITEM_COLUMNS]
    items = [
        (
            *(getattr(row, name) for name in names),
            row.taxed,
            row.entry_id in costed if row.has_cost_price is None else row.has_cost_price,
            context.actor,
            now,
        )
        for row in rows
        if row.billing_status is not None
    ]
    await copy(session, "items", [*_ITEM_COLUMNS, "tax", "has_cost_price", "changed_by", "changed_at"], items)


async def tell(session: AsyncSession, context: Context, ids: Collection[UUID]) -> None:
    """Emits the posted rows, in the order of `ids`, 200 an event, one key an event."""
    rows = await fetch(session, TELL, list(ids))
    events = [Outgoing(ActualsPosted.TOPIC, ActualsPosted.TYPE, row["key"], row["body"]) for row in rows]
    await outbox.emit(session, context, events)


async def close_contract_items(session: AsyncSession, context: Context, contract_id: UUID) -> int:
    """Reverses what is unbilled and on no invoice: cause `close`. The contract's row is locked by the caller."""
    return await _cancel_open(session, context, "contract_id = $1", contract_id)


async def cancel_items(session: AsyncSession, context: Context, item_ids: Collection[UUID]) -> int:
    """Reverses these open items: what came back to a closed contract. Their contracts are locked by the caller."""
    return await _cancel_open(session, context, "id = any($1::uuid[])", list(item_ids))


async def cancel_on_closed(session: AsyncSession, context: Context, item_ids: Collection[UUID]) -> int:
    """Reverses those of these open items whose contract is closed: nobody would ever bill them."""
    return await _cancel_open(session, context, ON_CLOSED, list(item_ids))


async def _cancel_open(session: AsyncSession, context: Context, which: str, argument: object) -> int:
    rows = await fetch(session, TAKE_OPEN.format(which=which), argument)
    new = await reverse(session, context, [row["id"] for row in rows], "close")
    await tell(session, context, new)
    return len(rows)


async def reverse(session: AsyncSession, context: Context, ids: Collection[UUID], cause: str) -> list[UUID]:
    """Reverses these rows and marks them canceled; returns the reversals' ids, which are still to be told.

    Their items are not touched. A row that is reversed already meets the unique key on `reverses`; an id that is none
    of the ledger's (a milestone, a product line) is left out.
    """
    if not ids:
        return []
    now, old = context.clock.now(), sorted(ids)
    new = [context.ids() for _ in old]
    rows = await fetch(session, REVERSE, old, new, cause, now.date(), now, context.actor)
    await execute(session, CANCEL, old)
    return [row["id"] for row in rows]
