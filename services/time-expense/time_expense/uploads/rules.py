"""How an upload is read: window by window, record by record, never whole, and so that reading goes on anywhere."""

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Form = Literal["csv", "ndjson"]

RECORD_BYTES_MAX = 128 * 1024
"""A record has at most this many bytes. The longest that a row of ours needs is a third of it."""
WINDOW_BYTES = 512 * 1024
"""What is read at once: more than a record, or one could never be seen whole."""
BOM = b"\xef\xbb\xbf"

# All of them have ASCII's bytes for ASCII's characters alone, so that lines can be found before they are decoded.
_CHARSETS = {"utf-8": "utf-8", "iso8859-1": "latin-1", "cp1252": "cp1252", "ascii": "ascii"}
CHARSETS = ("utf-8", "iso-8859-1", "windows-1252", "us-ascii")


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading goes on: at byte `at`, in line `line` (the first is 1); `skip`: first to that line's end."""

    at: int = 0
    line: int = 1
    skip: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a CSV as its cells, a line of NDJSON as its text; `line` is its first."""

    line: int
    content: list[str] | str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no record."""

    line: int
    detail: str


def charset_of(name: str | None) -> str | None:
    """Python's name of a content type's charset (none given: UTF-8); None when it is not one of CHARSETS."""
    try:
        return _CHARSETS.get(codecs.lookup(name or "utf-8").name)
    except LookupError:
        return None


def read(
    window: bytes, place: Place, *, last: bool, form: Form, charset: str, most: int
) -> tuple[list[Record | Unreadable], Place]:
    """Up to `most` records of the window that begins at `place`, and the place behind them.

    `last`: the upload ends with the window; otherwise a record that the window cuts is left for the next one.
    """
    lines = _Lines(window, place, charset, last=last)
    if place.skip and not lines.skip():
        return [], Place(place.at + len(window), place.line, skip=not last)
    found: list[Record | Unreadable] = []
    records = _csv(lines) if form == "csv" else _ndjson(lines)
    for record in records:
        found.append(record)
        if len(found) == most:
            return found, lines.place()
    if not last and lines.left() > RECORD_BYTES_MAX:
        found.append(Unreadable(lines.line, _TOO_LONG))
        return found, Place(place.at + len(window), lines.line, skip=True)
    return found, lines.place()


_TOO_LONG = f"longer than {RECORD_BYTES_MAX} bytes"


class _TooLongError(Exception):
    pass


class _Lines:
    """The lines of a window, decoded one after another; a record's first line can be gone back to."""

    def __init__(self, window: bytes, place: Place, charset: str, *, last: bool) -> None:
        self._window = window
        self._from = place.at
        self._charset = charset
        self.last = last
        self.line = place.line
        self._at = len(BOM) if place.at == 0 and charset == "utf-8" and window.startswith(BOM) else 0
        self._begin, self._first = self._at, self.line
        self.cut = False
        """The record in hand goes on behind the window."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        end = self._window.find(b"\n", self._at) + 1 or (len(self._window) if self.last else 0)
        if end <= self._at:
            self.cut = not self.last
            raise StopIteration
        if end - self._begin > RECORD_BYTES_MAX:
            raise _TooLongError
        raw = self._window[self._at : end]
        self._at = end
        self.line += 1
        return raw.decode(self._charset)

    def begin(self) -> int:
        """A record begins here; returns its line."""
        self._begin, self._first, self.cut = self._at, self.line, False
        return self.line

    def back(self) -> None:
        """Goes back to where the record began."""
        self._at, self.line = self._begin, self._first

    def skip(self) -> bool:
        """Goes to the next line; False where the window has none."""
        end = self._window.find(b"\n", self._at) + 1 or (len(self._window) if self.last else 0)
        if end <= self._at:
            return False
        self._at = end
        self.line += 1
        return True

    def left(self) -> int:
        """Bytes of the window that are not read."""
        return len(self._window) - self._at

    def place(self) -> Place:
        return Place(self._from + self._at, self.line)


def _csv(lines: _Lines) -> Iterator[Record | Unreadable]:
    """Rows by RFC 4180. A broken one costs its first line only: reading goes on with the second.

    Otherwise one quote too many would swallow every good row up to the next quote, and nobody would miss them.
    """
    reader = csv.reader(lines, strict=True)
    while True:
        line = lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError, _TooLongError) as error:
            lines.back()
            if lines.cut and lines.left() <= RECORD_BYTES_MAX:
                return
            lines.skip()
            yield Unreadable(line, _TOO_LONG if lines.cut else _why(error))
            continue
        if cells:
            yield Record(line, cells)


def _ndjson(lines: _Lines) -> Iterator[Record | Unreadable]:
    while True:
        line = lines.begin()
        try:
            text = next(lines).strip()
        except StopIteration:
            return
        except (UnicodeDecodeError, _TooLongError) as error:
            lines.back()
            lines.skip()
            yield Unreadable(line, _why(error))
            continue
        if text:
            yield Record(line, text)


def _why(error: Exception) -> str:
    if isinstance(error, _TooLongError):
        return _TOO_LONG
    if isinstance(error, UnicodeDecodeError):
        return f"not {error.encoding}: name the charset in the content type, such as charset=iso-8859-1"
    return f"not a row of a CSV: {error}"
