"""A row of an import: the fields of an entry, with its external_id."""

import json
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from proforma.bodies import ExternalId, Input
from proforma.errors import BrokenRule
from time_expense.entries.schemas import EntryIn
from time_expense.imports.rules import ImportState, Row, Work


class ImportQuery(Input):
    """Which state the entries come in."""

    state: ImportState = Field(default="draft", description="`approved` needs the role approver or service.")


class ImportRow(EntryIn):
    """One row. Its external_id is how a repeat is recognised."""

    external_id: ExternalId


_EXTERNAL_ID: TypeAdapter[str] = TypeAdapter(ExternalId)

COLUMNS = {one.alias or name: one.is_required() for name, one in ImportRow.model_fields.items()}
"""The columns of a CSV, and whether it must have them."""


def columns_of(cells: list[str]) -> list[str]:
    """The columns that a CSV's first row names; raises BrokenRule: under a wrong name every row would be wrong."""
    names = [cell.strip() for cell in cells]
    unknown = [name for name in names if name not in COLUMNS]
    missing = [name for name, needed in COLUMNS.items() if needed and name not in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    parts = [
        f"{what}: {', '.join(repr(name[:64]) for name in some[:20])}"
        for what, some in (("unknown columns", unknown), ("missing columns", missing), ("columns given twice", twice))
        if some
    ]
    if parts:
        raise BrokenRule(f"the first line does not name the columns: {'; '.join(parts)}; known: {', '.join(COLUMNS)}")
    return names


def row_of(line: int, columns: list[str], content: list[str] | str) -> Row:
    """A row out of cells (an empty one is no value) or out of a line of NDJSON; raises ValueError."""
    if isinstance(content, str):
        return _row(line, ImportRow.model_validate_json(content))
    if len(content) != len(columns):
        raise ValueError(f"{len(content)} cells for {len(columns)} columns")
    return _row(
        line, ImportRow.model_validate({name: cell for name, cell in zip(columns, content, strict=True) if cell})
    )


def named_by(columns: list[str], content: list[str] | str) -> str | None:
    """The external_id of a row that is not valid, so that its sender finds it; None where it shows none."""
    try:
        shown = json.loads(content) if isinstance(content, str) else dict(zip(columns, content, strict=False))
        return _EXTERNAL_ID.validate_python(shown["external_id"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def why(error: ValueError) -> str:
    """What is wrong with a row, field by field."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(_field(one) for one in error.errors(include_url=False, include_context=False, include_input=False))


def _row(line: int, read: ImportRow) -> Row:
    work = read.model_dump(exclude={"external_id"})
    return Row(line, read.external_id, Work(**work))


def _field(error: Any) -> str:
    where = "/".join(str(part) for part in error["loc"])
    return f"{where}: {error['msg']}" if where else str(error["msg"])
