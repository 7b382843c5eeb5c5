"""SQL of lines and details: add, remove, list."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.details.schemas import DetailFilter
from invoicing.invoices.rules import Sums
from proforma.db import copy, execute, fetch

DETAIL_COLUMNS = (
    "invoice_id", "id", "contract_line_id", "claim_id", "item_id", "entry_id", "class", "source", "project", "task",
    "resource", "role", "category", "product", "date", "quantity", "unit", "price", "amount", "tax", "billing_type",
    "description", "external_description",
)  # fmt: skip

# A line that another claim brought already keeps its name; its cut-off is the latest, in whatever order claims come.
ADD_LINES = """
insert into invoice_lines (invoice_id, id, contract_line_id, name, kind, billing_method, includes, cut_off,
                           chargeable, non_chargeable, complimentary, tax, total, details)
select l.invoice_id, l.id, l.contract_line_id, l.name, l.kind, l.billing_method,
       array(select json_array_elements_text(l.includes)), l.cut_off, l.zero, l.zero, l.zero, l.zero, l.zero, 0
from json_to_recordset($1::json) l (invoice_id uuid, id uuid, contract_line_id uuid, name text, kind text,
                                    billing_method text, includes json, cut_off date, zero numeric)
on conflict (invoice_id, contract_line_id)
  do update set cut_off = greatest(invoice_lines.cut_off, excluded.cut_off)
returning invoice_id, xmax = 0 as added
"""
ADD_SUMS = """
update invoice_lines l set
  details = l.details + s.details, chargeable = l.chargeable + s.chargeable,
  non_chargeable = l.non_chargeable + s.non_chargeable, complimentary = l.complimentary + s.complimentary,
  tax = l.tax + s.tax, total = l.total + s.chargeable + s.tax
from unnest($1::uuid[], $2::uuid[], $3::int[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[])
  s (invoice_id, contract_line_id, details, chargeable, non_chargeable, complimentary, tax)
where l.invoice_id = s.invoice_id and l.contract_line_id = s.contract_line_id
"""
REMOVE = """
delete from invoice_details where invoice_id = $1 and id = any($2::uuid[])
returning id, contract_line_id, claim_id, item_id, class, date, quantity, price, amount, tax, billing_type,
          original_detail_id, was_amount, was_tax
"""
REMOVE_CLAIM = """
with gone as (
  delete from invoice_details where invoice_id = $1 and claim_id = $2
  returning contract_line_id, billing_type, amount, tax)
select contract_line_id, billing_type, count(*)::int as details, sum(amount) as amount, sum(tax) as tax
from gone group by contract_line_id, billing_type
"""
REMOVE_CORRECTING = """
with gone as (
  delete from invoice_details where invoice_id = $1 and original_detail_id is not null
  returning contract_line_id, billing_type, amount - was_amount as amount, tax - was_tax as tax)
select contract_line_id, billing_type, count(*)::int as details, sum(amount) as amount, sum(tax) as tax
from gone group by contract_line_id, billing_type
"""
PAGE = """
select * from invoice_details
where invoice_id = $1 and id > coalesce($2::uuid, '00000000-0000-0000-0000-000000000000') {where} order by id limit $3
"""
MATCHING = "select id from invoice_details where invoice_id = $1 {where} order by id limit $2"
TARGETS = """
insert into job_targets (job_id, n, target_id)
select $2, row_number() over (order by id), id from invoice_details where invoice_id = $1 {where}
"""
_OPERATORS = {
    "contract_line_id": "contract_line_id = {}", "source": "source = {}", "claim_id": "claim_id = {}",
    "item_id": "item_id = {}", "entry_id": "entry_id = {}", "project": "project = {}", "task": "task = {}",
    "resource": "resource = {}", "role": "role = {}", "category": "category = {}", "product": "product = {}",
    "billing_type": "billing_type = {}", "item_class": "class = {}", "date_from": "date >= {}",
    "date_to": "date <= {}",
}  # fmt: skip
LINES = """
select * from invoice_lines
where invoice_id = $1 and id > coalesce($2::uuid, '00000000-0000-0000-0000-000000000000') order by id limit $3
"""

# A detail is replaced when a corrective with one in its place is confirmed; the row itself never changes again.
REPLACED = """
select d.original_detail_id, d.id as detail_id, d.invoice_id
from invoice_details d join invoices i on i.id = d.invoice_id and i.status in ('confirmed', 'paid')
where d.original_detail_id = any($1::uuid[])
"""

LineKey = tuple[UUID, UUID]
"""(invoice, contract line)"""


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line that a claim names; `zero` is no money with the currency's decimals."""

    invoice_id: UUID
    id: UUID
    contract_line_id: UUID
    name: str
    kind: str
    billing_method: str | None
    includes: Sequence[str]
    cut_off: date | None
    zero: Decimal


async def add_lines(session: AsyncSession, lines: Iterable[NewLine]) -> dict[UUID, int]:
    """Adds the lines that are not there yet; returns how many, by invoice."""
    body = json.dumps([{name: getattr(line, name) for name in NewLine.__slots__} for line in lines], default=str)
    added: dict[UUID, int] = {}
    for row in await fetch(session, ADD_LINES, body):
        added[row["invoice_id"]] = added.get(row["invoice_id"], 0) + row["added"]
    return added


async def add_details(session: AsyncSession, rows: Iterable[Sequence[Any]]) -> None:
    """COPYs details, as rows of DETAIL_COLUMNS."""
    await copy(session, "invoice_details", DETAIL_COLUMNS, rows)


async def add_sums(session: AsyncSession, by_line: Mapping[LineKey, Sums]) -> None:
    """Adds to the stored totals of lines."""
    sums = by_line.values()
    await execute(
        session,
        ADD_SUMS,
        [invoice for invoice, _ in by_line],
        [line for _, line in by_line],
        [one.details for one in sums],
        [one.chargeable for one in sums],
        [one.non_chargeable for one in sums],
        [one.complimentary for one in sums],
        [one.tax for one in sums],
    )


async def remove(session: AsyncSession, invoice_id: UUID, ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Deletes those of `ids` that the invoice has and returns them."""
    return await fetch(session, REMOVE, invoice_id, list(ids))


async def remove_claim(session: AsyncSession, invoice_id: UUID, claim_id: UUID) -> list[asyncpg.Record]:
    """Deletes a claim's details and returns their sums by contract line and billing type."""
    return await fetch(session, REMOVE_CLAIM, invoice_id, claim_id)


async def remove_correcting(session: AsyncSession, invoice_id: UUID) -> list[asyncpg.Record]:
    """Deletes a corrective's details, which frees their originals; returns what they had added, like `remove_claim`."""
    return await fetch(session, REMOVE_CORRECTING, invoice_id)


def _conditions(wanted: DetailFilter, first: int) -> tuple[str, list[Any]]:
    """(SQL beginning with `and`, arguments from `$first` on) of a filter."""
    parts: list[str] = []
    values: list[Any] = []
    for name, form in _OPERATORS.items():
        value = getattr(wanted, name)
        if value is not None:
            parts.append(" and " + form.format(f"${first + len(values)}"))
            values.append(value)
    return "".join(parts), values


async def page(
    session: AsyncSession, invoice_id: UUID, wanted: DetailFilter, after: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """One detail more than the page holds, in the order of arrival."""
    where, values = _conditions(wanted, 4)
    return await fetch(session, PAGE.format(where=where), invoice_id, after, limit + 1, *values)


async def matching(session: AsyncSession, invoice_id: UUID, wanted: DetailFilter, most: int) -> list[UUID]:
    """Ids of the invoice's details under a filter, `most` at the most."""
    where, values = _conditions(wanted, 3)
    rows = await fetch(session, MATCHING.format(where=where), invoice_id, most, *values)
    return [row["id"] for row in rows]


async def fix_targets(session: AsyncSession, job_id: UUID, invoice_id: UUID, wanted: DetailFilter) -> int:
    """Makes the details under a filter a job's targets; returns how many."""
    where, values = _conditions(wanted, 3)
    return await execute(session, TARGETS.format(where=where), invoice_id, job_id, *values)


async def lines(session: AsyncSession, invoice_id: UUID, after: UUID | None, limit: int) -> list[asyncpg.Record]:
    """One line more than the page holds."""
    return await fetch(session, LINES, invoice_id, after, limit + 1)


async def replaced(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, asyncpg.Record]:
    """The details of confirmed correctives (`invoice_id`, `detail_id`) that stand in the place of some of `ids`."""
    return {row["original_detail_id"]: row for row in await fetch(session, REPLACED, list(ids))}
