"""SQL of editing details."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from invoicing.editing.rules import EDITED
from proforma.db import execute, fetch

FIND = "select * from invoice_details where invoice_id = $1 and id = any($2::uuid[]) order by id"
LINES = "select contract_line_id, name, billing_method, includes from invoice_lines where invoice_id = $1"
_NUMBERS = ("quantity", "price", "amount", "tax", "was_quantity", "was_price", "was_amount", "was_tax")
_SET = ", ".join(f"{name} = e.{name}" for name in EDITED)
_TEXTS = ", ".join(f"{name} text" for name in EDITED if name not in (*_NUMBERS, "date"))
_FIGURES = ", ".join(f"{name} numeric" for name in _NUMBERS)
UPDATE = f"""
update invoice_details d set {_SET}
from json_to_recordset($2::json) e (id uuid, date date, {_FIGURES}, {_TEXTS}) where d.invoice_id = $1 and d.id = e.id
"""


async def find(session: AsyncSession, invoice_id: UUID, ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Those of `ids` that the invoice has."""
    return await fetch(session, FIND, invoice_id, list(ids))


async def update(session: AsyncSession, invoice_id: UUID, details: Sequence[Mapping[str, Any]]) -> None:
    """Writes the editable columns of whole details."""
    rows = [{name: detail[name] for name in ("id", *EDITED)} for detail in details]
    await execute(session, UPDATE, invoice_id, json.dumps(rows, default=str))


async def lines(session: AsyncSession, invoice_id: UUID) -> dict[UUID, asyncpg.Record]:
    """The invoice's lines, by contract line: name, billing method and the classes that each includes."""
    return {row["contract_line_id"]: row for row in await fetch(session, LINES, invoice_id)}
