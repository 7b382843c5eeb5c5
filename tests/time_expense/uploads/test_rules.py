"""Reading an upload in windows finds the records that reading it whole would, and loses nothing behind a bad one."""

import csv
import io
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from time_expense.uploads import rules
from time_expense.uploads.rules import RECORD_BYTES_MAX, Form, Place, Record, Unreadable, charset_of, read

cells = st.text(st.sampled_from('ab ",\n\r\té€'), max_size=6)
tables = st.lists(st.lists(cells, min_size=2, max_size=3), max_size=12)


def records(
    upload: bytes, *, window: int, most: int = 1000, form: Form = "csv", charset: str = "utf-8"
) -> Iterator[Record | Unreadable]:
    """All records, as a job reads them: from window to window, anew each time from the place alone."""
    place = Place()
    while place.at < len(upload):
        part = upload[place.at : place.at + window]
        found, after = read(
            part, place, last=place.at + len(part) >= len(upload), form=form, charset=charset, most=most
        )
        assert after.at > place.at, "reading must go on"
        assert len(found) <= most
        place = after
        yield from found


def written(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode()


@given(tables, st.integers(1, 5))
def test_a_table_comes_back_as_it_was_written_however_it_is_cut(rows: list[list[str]], most: int) -> None:
    upload = written(rows)
    for window in (len(upload) // 2 + 60, len(upload) + 1):
        found = list(records(upload, window=window, most=most))
        assert [record.content for record in found if isinstance(record, Record)] == rows
        assert len(found) == len(rows)


@given(tables)
def test_each_record_has_the_number_of_its_first_line(rows: list[list[str]]) -> None:
    upload = written(rows)
    lines = upload.decode().split("\n")
    for record in records(upload, window=len(upload) + 1):
        first = lines[record.line - 1]
        assert isinstance(record, Record)
        assert first.startswith('"')
        assert list(csv.reader(io.StringIO("\n".join(lines[record.line - 1 :]))))[0] == record.content  # noqa: RUF015


@given(st.text(st.sampled_from('ab",\n\r€'), max_size=80), st.integers(17, 40), st.integers(1, 3))
@example('"', 20, 1)
@example('a,"b\nc,d\n', 20, 1)
@example('"a"b\nc,d\n', 20, 1)
@example('"' + "a\n" * 30, 20, 1)
@example('"a"b\n' + "c" * 17 + "\nd\n", 20, 1)
def test_any_text_is_read_to_its_end_wherever_it_is_cut(text: str, window: int, most: int) -> None:
    upload = text.encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "RECORD_BYTES_MAX", 16)
        whole = list(records(upload, window=len(upload) + 1))
        assert list(records(upload, window=window, most=most)) == whole
    # Every line is part of a record, or named, or blank: none is passed over without a word.
    seen: set[int] = set()
    for record in whole:
        more = "".join(record.content).count("\n") if isinstance(record, Record) else 0
        seen.update(range(record.line, record.line + more + 1))
    for number, line in enumerate(text.split("\n"), start=1):
        assert number in seen or not line.strip("\r")


@pytest.mark.parametrize("size", [rules.WINDOW_BYTES, rules.WINDOW_BYTES - 7, 3 * rules.RECORD_BYTES_MAX])
def test_records_that_a_window_cuts_are_read_whole_in_the_next(size: int) -> None:
    rows = [[str(n), "x" * (n * 37 % 900) + "\n" + "y" * (n % 50)] for n in range(3000)]
    upload = written(rows)
    assert len(upload) > 2 * size
    assert [record.content for record in records(upload, window=size) if isinstance(record, Record)] == rows


@given(tables.filter(bool), st.sampled_from(['"', 'a,"b', '"a"b', '"x', 'a""b,"']))
def test_a_broken_line_costs_itself_and_no_other(rows: list[list[str]], broken: str) -> None:
    plain = [[f"{re.sub('[^ab]', '', cell)}." for cell in row] for row in rows]
    good = "".join(",".join(row) + "\n" for row in plain)
    found = list(records(f"{broken}\n{good}".encode(), window=10_000))
    assert isinstance(found[0], Unreadable)
    assert found[0].line == 1
    assert [record.content for record in found[1:] if isinstance(record, Record)] == plain


def test_a_record_that_is_too_long_is_named_and_passed_over() -> None:
    good = "a,b\n"
    for long in ("x" * (RECORD_BYTES_MAX + 1), "x" * (3 * rules.WINDOW_BYTES), '"' + ("x" * 999 + "\n") * 200):
        upload = f"{good}{long}\n{good}".encode()
        found = list(records(upload, window=rules.WINDOW_BYTES, most=10**9))
        assert found[0] == Record(1, ["a", "b"])
        assert isinstance(found[1], Unreadable)
        assert (found[1].line, found[1].detail) == (2, f"longer than {RECORD_BYTES_MAX} bytes")
        assert found[-1] == Record(3 + long.count("\n"), ["a", "b"])


def test_a_long_line_at_the_end_ends_the_upload() -> None:
    upload = b"a,b\n" + b"x" * (3 * rules.WINDOW_BYTES)
    found = list(records(upload, window=rules.WINDOW_BYTES))
    assert [type(record) for record in found] == [Record, Unreadable]


def test_lines_of_json_and_blank_ones() -> None:
    upload = b'\xef\xbb\xbf{"a": 1}\r\n\n  \n{"b": "x\\ny"}\nnot json'
    found = list(records(upload, window=100, form="ndjson"))
    assert found == [Record(1, '{"a": 1}'), Record(4, '{"b": "x\\ny"}'), Record(5, "not json")]


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_bytes_of_another_charset_are_named_and_the_rest_goes_on(form: Form) -> None:
    upload = "eins\nzwölf\ndrei\n".encode("latin-1")
    found = list(records(upload, window=100, form=form))
    assert [record.line for record in found] == [1, 2, 3]
    assert isinstance(found[1], Unreadable)
    assert "charset" in found[1].detail
    latin = list(records(upload, window=100, form=form, charset="latin-1"))
    assert [record.content for record in latin if isinstance(record, Record)][1] in ("zwölf", ["zwölf"])


def test_a_mark_of_utf_8_is_no_part_of_the_first_name() -> None:
    [record] = records(b"\xef\xbb\xbfclass,role\n", window=100)
    assert record == Record(1, ["class", "role"])


@pytest.mark.parametrize(
    ("name", "charset"),
    [
        (None, "utf-8"),
        ("UTF8", "utf-8"),
        ("latin-1", "latin-1"),
        ("ISO-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("us-ascii", "ascii"),
        ("utf-16", None),
        ("rot13", None),
        ("zip", None),
        ("nonsense", None),
    ],
)
def test_charsets_by_their_names(name: str | None, charset: str | None) -> None:
    assert charset_of(name) == charset
