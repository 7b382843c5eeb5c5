"""Approved entries become ledger rows and open items, a batch at a time."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_backlog.entries import queries
from billing_backlog.entries.rules import Line, Row, Work, cost_rate, line_for, rows_for, sales_rate
from billing_backlog.ledger import service as ledger
from billing_backlog.ledger.service import NewActual
from proforma.context import Context
from proforma.db import execute, fetch, lock_keys
from proforma.errors import BrokenRule
from proforma.events.time_expense import ApprovedEntry

INSERT = """
insert into entries (entry_id, revision, state, content_hash, project, updated_at)
select e, r, 'approved', h, p, $5 from unnest($1::uuid[], $2::int[], $3::bytea[], $4::text[]) rows (e, r, h, p)
order by e on conflict (entry_id) do nothing returning entry_id
"""
RAISE_REVISION = """
update entries set revision = r, state = 'approved', content_hash = h, project = p, updated_at = $5
from unnest($1::uuid[], $2::int[], $3::bytea[], $4::text[]) rows (e, r, h, p) where entry_id = e
"""

# Who approved and when may differ between two messages of the same approval; what is billed may not.
_NOT_CONTENT = {"approved_by", "approved_at", "submitted_by", "external_id"}


@dataclass(frozen=True, slots=True)
class _Seen:
    revision: int
    state: str
    content_hash: bytes


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
    lines = await queries.lines_of(session, {entry.project for entry in fresh})
    sales_ids = {list_id for found in lines.values() for line in found for list_id in line.sales_list_ids}
    lists, costs = await queries.price_lists(session, sales_ids, {entry.role for entry in fresh if entry.role})
    rows: list[NewActual] = []
    for entry in fresh:
        work = _work(entry)
        line = line_for(work, lines.get(entry.project, ()))
        sales = sales_rate(work, line, lists) if line is not None else None
        for row in rows_for(work, line, sales, cost_rate(work, line, costs)):
            rows.append(_actual(context, entry, line, row))
    await ledger.post(session, context, rows)
    return len(fresh)


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
        if content_hash(entry) != seen.content_hash:
            raise BrokenRule(f"entry {entry.id} revision {entry.revision} came before with another content")
        return False
    if seen.state != "reversed":
        raise BrokenRule(f"entry {entry.id}: revision {entry.revision} while {seen.revision} is not reversed")
    return True


def _columns(entries: Sequence[ApprovedEntry]) -> tuple[list[UUID], list[int], list[bytes], list[str]]:
    return (
        [entry.id for entry in entries],
        [entry.revision for entry in entries],
        [content_hash(entry) for entry in entries],
        [entry.project for entry in entries],
    )


def content_hash(entry: ApprovedEntry) -> bytes:
    """SHA-256 over the named fields that decide what is billed; unknown fields do not count."""
    fields = entry.model_dump(mode="json", exclude=_NOT_CONTENT)
    fields["quantity"], fields["billable_quantity"] = (
        str(entry.quantity.normalize()),
        str(entry.billable_quantity.normalize()),
    )
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).digest()


def _work(entry: ApprovedEntry) -> Work:
    return Work(
        entry.entry_class, entry.project, entry.task, entry.role, entry.date,
        entry.quantity, entry.billable_quantity, entry.billing_type,
    )  # fmt: skip


def _actual(context: Context, entry: ApprovedEntry, line: Line | None, row: Row) -> NewActual:
    is_item = row.type == "unbilled_sales" or line is None
    status = None if not is_item else "cost_only" if line is None else "unbilled"
    return NewActual(
        id=context.ids(), type=row.type, item_class=entry.entry_class, billing_type=row.billing_type,
        cause="approve", date=entry.date, accounting_date=entry.date, quantity=row.quantity, unit=entry.unit,
        price=row.price, amount=row.amount, currency=row.currency, rate_id=row.rate_id,
        project=entry.project, task=entry.task, resource=entry.resource, role=entry.role, category=entry.category,
        product=entry.product, description=entry.description, external_description=entry.external_description,
        contract_id=line.contract_id if line else None, contract_line_id=line.id if line else None,
        entry_id=entry.id, entry_revision=entry.revision, billing_status=status,
    )  # fmt: skip
