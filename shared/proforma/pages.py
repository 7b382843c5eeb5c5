"""Keyset pages: a cursor is the last row's key, so a page costs the same however deep it is and shifts nothing."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Query

from proforma.errors import Invalid

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=1000, description="Items on the page.")]
After = Annotated[str | None, Query(max_length=512, description="The `next` of the page before.")]

_NUMBER_DIGITS = 9


def encode(*key: object) -> str:
    """The cursor behind the row with this key."""
    return base64.urlsafe_b64encode(json.dumps([str(part) for part in key]).encode()).decode().rstrip("=")


def decode(cursor: str, parts: int) -> list[str]:
    """The key in a cursor; raises Invalid when it is not one of ours."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise Invalid.field("/query/after", "not a cursor of this list") from error
    if not isinstance(key, list) or len(key) != parts or not all(isinstance(p, str) and p.isprintable() for p in key):
        raise Invalid.field("/query/after", "not a cursor of this list")
    return key


def after_id(cursor: str | None) -> UUID | None:
    """The id in the cursor of a list that is sorted by id."""
    if cursor is None:
        return None
    try:
        return UUID(decode(cursor, 1)[0])
    except ValueError as error:
        raise Invalid.field("/query/after", "not a cursor of this list") from error


def cut(rows: Sequence[T], limit: int, key: Callable[[T], object]) -> tuple[list[T], str | None]:
    """Splits limit + 1 rows into a page and the cursor of the next one (None: there is none)."""
    page = list(rows[:limit])
    return page, encode(key(page[-1])) if len(rows) > limit else None


def number(cursor: str | None) -> int:
    """The number in the cursor of a list that is sorted by a number above zero; 0 without a cursor."""
    if cursor is None:
        return 0
    text = decode(cursor, 1)[0]
    if not (text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS):
        raise Invalid.field("/query/after", "not a cursor of this list")
    return int(text)


def waiting_key(cursor: str | None) -> tuple[datetime | None, str, str]:
    """The (since, kind, id) in a cursor of what waits."""
    if cursor is None:
        return None, "", ""
    since, kind, thing = decode(cursor, 3)
    try:
        return datetime.fromisoformat(since).astimezone(UTC), kind, thing
    except (ValueError, OverflowError) as error:
        raise Invalid.field("/query/after", "not a cursor of this list") from error
