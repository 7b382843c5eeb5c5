"""Approved entries become ledger rows and open items, a batch at a time."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.entries import queries
from billing_backlog.entries.rules import FIXED_PRICE, Line, Row, Work, line_for, rows_for
from billing_backlog.ledger import service as ledger
from billing_backlog.ledger.service import NewActual
from billing_backlog.pricing.queries import exchange_rates, lists_for
from billing_backlog.pricing.rules import Priced, cost_price, exchange_wanted, sales_price
from proforma.context import Context
from proforma.db import execute, fetch, lock_keys
from proforma.errors import BrokenRule
from proforma.events.time_expense import ApprovedEntry

INSERT = """
insert into entries (entry_id, revision, state, content_hash, project, content, updated_at)
select e, r, 'approved', h, p, c, $6
from unnest($1::uuid[], $2::int[], $3::bytea[], $4::text[], $5::text[]) rows (e, r, h, p, c)
order by e on conflict (entry_id) do nothing returning entry_id
"""
RAISE_REVISION = """
update entries set revision = r, state = 'approved', content_hash = h, project = p, content = c, updated_at = $6
from unnest($1::uuid[], $2::int[], $3::bytea[], $4::text[], $5::text[]) rows (e, r, h, p, c) where entry_id = e
"""

# Who approved and when may differ between two messages of the same approval; what is billed may not.
_NOT_CONTENT = {"approved_by", "approved_at", "submitted_by", "external_id"}


@dataclass(frozen=True, slots=True)
class _Seen:
    revision: int
    state: str
    content_hash: bytes | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an approved entry is, as lines and rates stand: its line, if one takes it, and its rows, the cost first."""

    entry: ApprovedEntry
    work: Work
    line: Line | None
    rows: Sequence[Row]
    sales: Priced | None


async def approve(session: AsyncSession, context: Context, entries: Sequence[ApprovedEntry]) -> int:
    """Posts what is new among `entries` (any projects, any order); returns how many were.

    Locks first the projects (shared: line changes are exclusive), then the entries in id order; lines and rates are
    read after that, so that no line changes between the decision and its row. Raises BrokenRule for the same
    revision with another content, and for a higher one while the lower one is not reversed (design §5.4).
    """
    await lock_keys(session, "project", {entry.project for entry in entries}, shared=True)
    fresh = await _new_revisions(session, context, _one_each(entries))
    if not fresh:
        return 0
    rows = [
        new_actual(context, one, row, "approve", one.entry.date)
        for one in await outcomes(session, fresh)
        for row in one.rows
    ]
    await ledger.post(session, context, rows)
    return len(fresh)


async def outcomes(session: AsyncSession, entries: Sequence[ApprovedEntry]) -> list[Outcome]:
    """What each entry is now, in the order given. Hold the projects' lock, or lines may change meanwhile."""
    lines = await queries.lines_of(session, {entry.project for entry in entries})
    works = [_work(entry) for entry in entries]
    taken = [line_for(work, lines.get(work.project, ())) for work in works]
    sales_ids = {list_id for line in taken if line is not None for list_id in line.sales_list_ids}
    lists = await lists_for(session, sales_ids, [work.wanted for work in works])
    costs = [
        cost_price(work.wanted, line.cost_list_id if line else None, lists.costs)
        for work, line in zip(works, taken, strict=True)
    ]
    pairs = [
        exchange_wanted(work.wanted, cost, line.currency) if line is not None else None
        for work, line, cost in zip(works, taken, costs, strict=True)
    ]
    exchange = await exchange_rates(session, {pair for pair in pairs if pair is not None})
    found = []
    for entry, work, line, cost in zip(entries, works, taken, costs, strict=True):
        sales = None
        if line is not None and line.billing_method != FIXED_PRICE:
            sales = sales_price(work.wanted, line.currency, lists.of(line.sales_list_ids), cost, exchange)
        found.append(Outcome(entry, work, line, rows_for(work, line, sales, cost), sales))
    return found


def _one_each(entries: Sequence[ApprovedEntry]) -> list[ApprovedEntry]:
    """One message per entry, in id order; the same approval twice in a batch is one, two different ones are not."""
    found: dict[UUID, ApprovedEntry] = {}
    for entry in sorted(entries, key=lambda entry: (entry.id, entry.revision)):
        known = found.get(entry.id)
        if known is not None and (known.revision != entry.revision or content_hash(known) != content_hash(entry)):
            raise BrokenRule(f"entry {entry.id}: revisions {known.revision} and {entry.revision} in one batch")
        found[entry.id] = entry
    return list(found.values())


async def _new_revisions(
    session: AsyncSession, context: Context, entries: Sequence[ApprovedEntry]
) -> list[ApprovedEntry]:
    now = context.clock.now()
    inserted = {row["entry_id"] for row in await fetch(session, INSERT, *_columns(entries), now)}
    known = [entry for entry in entries if entry.id not in inserted]
    if not known:
        return list(entries)
    rows = await fetch(session, queries.SEEN, [entry.id for entry in known])
    seen = {row["entry_id"]: _Seen(row["revision"], row["state"], row["content_hash"]) for row in rows}
    raised = [entry for entry in known if _rises(entry, seen[entry.id])]
    await execute(session, RAISE_REVISION, *_columns(raised), now)
    keep = inserted | {entry.id for entry in raised}
    return [entry for entry in entries if entry.id in keep]


def _rises(entry: ApprovedEntry, seen: _Seen) -> bool:
    if entry.revision < seen.revision:
        return False
    if entry.revision == seen.revision:
        # A cancellation that came before its approval knows no content: the approval, now late, does nothing.
        if seen.content_hash is not None and content_hash(entry) != seen.content_hash:
            raise BrokenRule(f"entry {entry.id} revision {entry.revision} came before with another content")
        return False
    if seen.state != "reversed":
        raise BrokenRule(f"entry {entry.id}: revision {entry.revision} while {seen.revision} is not reversed")
    return True


def _columns(entries: Sequence[ApprovedEntry]) -> tuple[list[UUID], list[int], list[bytes], list[str], list[str]]:
    return (
        [entry.id for entry in entries],
        [entry.revision for entry in entries],
        [content_hash(entry) for entry in entries],
        [entry.project for entry in entries],
        [entry.model_dump_json() for entry in entries],
    )


def content_hash(entry: ApprovedEntry) -> bytes:
    """SHA-256 over the named fields that decide what is billed; unknown fields do not count."""
    fields = entry.model_dump(mode="json", exclude=_NOT_CONTENT)
    for name in ("quantity", "billable_quantity", "unit_cost"):
        number = getattr(entry, name)
        fields[name] = str(number.normalize()) if number is not None else None
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).digest()


def _work(entry: ApprovedEntry) -> Work:
    return Work(
        entry_class=entry.entry_class, project=entry.project, task=entry.task, role=entry.role, date=entry.date,
        quantity=entry.quantity, billable_quantity=entry.billable_quantity, billing_type=entry.billing_type,
        category=entry.category, product=entry.product, resource=entry.resource, unit=entry.unit,
        unit_cost=entry.unit_cost, cost_currency=entry.currency,
    )  # fmt: skip


def new_actual(
    context: Context, one: Outcome, row: Row, cause: str, accounting_date: date, replaces: UUID | None = None
) -> NewActual:
    """The ledger row of one of the outcome's rows, with the item that opens under it: sales, or work without a line."""
    entry, line = one.entry, one.line
    is_item = row.type == "unbilled_sales" or line is None
    status = None if not is_item else "cost_only" if line is None else "unbilled"
    return NewActual(
        id=context.ids(), type=row.type, item_class=entry.entry_class, billing_type=row.billing_type,
        cause=cause, date=entry.date, accounting_date=accounting_date, quantity=row.quantity, unit=entry.unit,
        price=row.price, amount=row.amount, currency=row.currency, rate_id=row.rate_id,
        exchange_rate_id=row.exchange_rate_id, project=entry.project, task=entry.task, resource=entry.resource,
        role=entry.role, category=entry.category, product=entry.product, description=entry.description,
        external_description=entry.external_description, contract_id=line.contract_id if line else None,
        contract_line_id=line.id if line else None, entry_id=entry.id, entry_revision=entry.revision,
        billing_status=status, unpriced=row.unpriced, replaces=replaces,
        has_cost_price=one.rows[0].price is not None,
    )  # fmt: skip
