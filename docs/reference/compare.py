"""Whether a schema still keeps the promise of a published one. Pure.

The rule is strict on both sides, because an event has readers and writers that we do not know: what no longer may be
left out breaks who writes it, what newly may be left out or may have another value breaks who reads it. Only an
optional field may be new, and only words about a field may change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

# Words about a thing, which promise nothing.
_WORDS = {"title", "description", "examples", "$comment", "$id", "$schema"}
_SPECIAL = {"properties", "required", "enum", "items", "anyOf"}


@dataclass(frozen=True, slots=True)
class Break:
    """What a reader or writer of the published schema stumbles over, and where: a JSON pointer into the body."""

    at: str
    what: str

    def __str__(self) -> str:
        return f"{self.at or '/'}: {self.what}"


def breaks(published: Schema, now: Schema, at: str = "") -> list[Break]:
    """All that `now` breaks of what was published; both with their references resolved."""
    if "anyOf" in published or "anyOf" in now:
        return [*_of_alternatives(published, now, at), *_of_the_rest(_around(published), _around(now), at)]
    return [
        *_of_fields(published, now, at),
        *_of_values(published, now, at),
        *_of_items(published, now, at),
        *_of_the_rest(published, now, at),
    ]


def _of_fields(published: Schema, now: Schema, at: str) -> Iterator[Break]:
    old, new = published.get("properties", {}), now.get("properties", {})
    had_to, has_to = set(published.get("required", [])), set(now.get("required", []))
    for name in old:
        where = f"{at}/{name}"
        if name not in new:
            yield Break(where, "the field is gone")
            continue
        if name in has_to - had_to:
            yield Break(where, "was optional, is required")
        if name in had_to - has_to:
            yield Break(where, "was always there, is optional")
        yield from breaks(old[name], new[name], where)
    for name in new.keys() - old.keys():
        if name in has_to:
            yield Break(f"{at}/{name}", "a new field is required")


def _of_values(published: Schema, now: Schema, at: str) -> Iterator[Break]:
    old, new = _values(published), _values(now)
    if old is None and new is None:
        return
    if old is None or new is None:
        yield Break(at, "values are listed now" if old is None else "values are not listed any more")
        return
    for value in sorted(old - new):
        yield Break(at, f"{value} is no value any more")
    for value in sorted(new - old):
        yield Break(at, f"{value} is a new value")


def _values(schema: Schema) -> set[str] | None:
    # A list of one value is a constant: Pydantic writes it the other way when a second one comes or goes.
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if listed is None else {repr(one) for one in listed}


def _of_alternatives(published: Schema, now: Schema, at: str) -> Iterator[Break]:
    old, new = _by_kind(published), _by_kind(now)
    for kind in sorted(old.keys() - new.keys()):
        yield Break(at, f"{kind} is no kind of value any more")
    for kind in sorted(new.keys() - old.keys()):
        yield Break(at, f"{kind} is a new kind of value")
    for kind in sorted(old.keys() & new.keys()):
        yield from breaks(old[kind], new[kind], at)


def _by_kind(schema: Schema) -> dict[str, Schema]:
    """The alternatives by type; what has none is the only one."""
    found: dict[str, Schema] = {}
    alone = {name: said for name, said in schema.items() if name != "default"}
    for one in schema.get("anyOf", [alone]):
        kind = str(one.get("type"))
        found[kind if kind not in found else f"{kind} {len(found)}"] = one
    return found


def _around(schema: Schema) -> Schema:
    """What is said beside the alternatives."""
    kept = set(schema) if "anyOf" in schema else {"default"}
    return {name: said for name, said in schema.items() if name in kept}


def _of_items(published: Schema, now: Schema, at: str) -> Iterator[Break]:
    old, new = published.get("items"), now.get("items")
    if old is None or new is None:
        if old is not new:
            yield Break(at, "what is in the list is said on one side only")
        return
    yield from breaks(old, new, f"{at}/*")


def _of_the_rest(published: Schema, now: Schema, at: str) -> Iterator[Break]:
    """Type, format, pattern, limits, default, topic: whatever else is said must be said as it was."""
    said = (set(published) | set(now)) - _WORDS - _SPECIAL - {"const"}
    for name in sorted(said):
        old, new = published.get(name), now.get(name)
        if (old, name in published) != (new, name in now):
            yield Break(at, f"{name} was {old!r}, is {new!r}")
