"""Keyset pages: a cursor is ours or it is refused."""

import base64
import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proforma import pages
from proforma.errors import Invalid


def cursor(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_page_is_cut_from_one_row_more() -> None:
    assert pages.cut([1, 2, 3], 3, lambda row: row) == ([1, 2, 3], None)
    page, following = pages.cut([1, 2, 3, 4], 3, lambda row: row)
    assert page == [1, 2, 3]
    assert pages.number(following) == 3
    assert pages.cut([], 3, lambda row: row) == ([], None)


def test_cursors_come_back_as_they_went() -> None:
    one, now = uuid4(), datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert pages.after_id(pages.encode(one)) == one
    assert pages.waiting_key(pages.encode(now.isoformat(), "job", "1")) == (now, "job", "1")
    assert pages.after_id(None) is None
    assert pages.number(None) == 0
    assert pages.waiting_key(None) == (None, "", "")


@given(st.text(max_size=512))
def test_anything_else_is_refused_and_nothing_worse(text: str) -> None:
    for read in (pages.after_id, pages.number, pages.waiting_key):
        with pytest.raises(Invalid):
            read(text)


FOREIGN = [
    cursor([]), cursor(["a", "b"]), cursor("a"), cursor({"a": 1}), cursor([1]), cursor(["17", "x"]),
    cursor(["-1"]), cursor(["²"]), cursor(["9" * 10]), cursor(["a\x00b"]), cursor(["\ud800"]),
    cursor(["0001-01-01T00:00:00+14:00", "job", "1"]), cursor(["2026-03-02T09:00:00Z", "job\x00", "1"]),
    "[" * 500, base64.urlsafe_b64encode(b"[" * 380).decode(), "é",
]  # fmt: skip


@pytest.mark.parametrize("text", FOREIGN)
def test_a_cursor_of_another_list_is_refused(text: str) -> None:
    for read in (pages.after_id, pages.number, pages.waiting_key):
        with pytest.raises(Invalid, match="not a cursor of this list"):
            read(text)


def test_an_id_is_no_number() -> None:
    with pytest.raises(Invalid):
        pages.number(pages.encode(UUID(int=1)))
