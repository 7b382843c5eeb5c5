"""Which changes break a published event: each kind planted once, and those that do not."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from proforma.events.billing_backlog import ActualsPosted
from proforma.events.time_expense import EntriesApproved
from reference.compare import breaks
from reference.events import schema_of, with_refs_resolved

PUBLISHED = {
    "title": "Thing",
    "x-topic": "things",
    "type": "object",
    "required": ["id", "kind", "price", "lines"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "price": {"anyOf": [{"type": "string", "pattern": "^[0-9]+$", "x-maximum": "100"}, {"type": "null"}]},
        "name": {"anyOf": [{"type": "string", "maxLength": 64}, {"type": "null"}], "default": None},
        "lines": {
            "type": "array", "minItems": 1, "maxItems": 500,
            "items": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 1}}},
        },
    },
}  # fmt: skip

Change = Callable[[dict[str, Any]], object]


def _price(schema: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = schema["properties"]["price"]["anyOf"][0]
    return first


def _line(schema: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = schema["properties"]["lines"]["items"]
    return line


BREAKS: dict[str, tuple[Change, str]] = {
    "a field is gone": (lambda s: s["properties"].pop("name"), "/name: the field is gone"),
    "a new field is required": (
        lambda s: (s["properties"].update(new={"type": "string"}), s["required"].append("new")),
        "/new: a new field is required",
    ),
    "an optional field is required": (lambda s: s["required"].append("name"), "/name: was optional, is required"),
    "a required field is optional": (lambda s: s["required"].remove("id"), "/id: was always there, is optional"),
    "another type": (lambda s: s["properties"]["id"].update(type="integer"), "/id: type was 'string', is 'integer'"),
    "another format": (lambda s: s["properties"]["id"].pop("format"), "/id: format was 'uuid', is None"),
    "a value less": (lambda s: s["properties"]["kind"]["enum"].remove("b"), "/kind: 'b' is no value any more"),
    "a value more": (lambda s: s["properties"]["kind"]["enum"].append("c"), "/kind: 'c' is a new value"),
    "one value only": (
        lambda s: (s["properties"]["kind"].pop("enum"), s["properties"]["kind"].update(const="a")),
        "/kind: 'b' is no value any more",
    ),
    "any value": (lambda s: s["properties"]["kind"].pop("enum"), "/kind: values are not listed any more"),
    "listed values": (lambda s: s["properties"]["id"].update(enum=["x"]), "/id: values are listed now"),
    "null no more": (lambda s: s["properties"]["price"]["anyOf"].pop(), "/price: null is no kind of value any more"),
    "a number as well": (
        lambda s: s["properties"]["price"]["anyOf"].append({"type": "number"}),
        "/price: number is a new kind of value",
    ),
    "null now": (
        lambda s: s["properties"].update(id={"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}),
        "/id: null is a new kind of value",
    ),
    "null no more, the other way": (
        lambda s: s["properties"].update(price={"type": "string", "pattern": "^[0-9]+$", "x-maximum": "100"}),
        "/price: null is no kind of value any more",
    ),
    "a pattern inside": (lambda s: _price(s).update(pattern="^x$"), "/price: pattern was '^[0-9]+$', is '^x$'"),
    "a lower limit of a decimal": (
        lambda s: _price(s).update({"x-maximum": "99"}), "/price: x-maximum was '100', is '99'"
    ),
    "a shorter text": (
        lambda s: s["properties"]["name"]["anyOf"][0].update(maxLength=63), "/name: maxLength was 64, is 63"
    ),
    "a longer list": (lambda s: s["properties"]["lines"].update(maxItems=501), "/lines: maxItems was 500, is 501"),
    "another default": (lambda s: s["properties"]["name"].update(default="x"), "/name: default was None, is 'x'"),
    "no default": (lambda s: s["properties"]["name"].pop("default"), "/name: default was None, is None"),
    "a field in a list is gone": (lambda s: _line(s)["properties"].pop("n"), "/lines/*/n: the field is gone"),
    "a limit in a list": (
        lambda s: _line(s)["properties"]["n"].update(minimum=2), "/lines/*/n: minimum was 1, is 2"
    ),
    "a list of anything": (
        lambda s: s["properties"]["lines"].pop("items"), "/lines: what is in the list is said on one side only"
    ),
    "another topic": (lambda s: s.update({"x-topic": "others"}), "/: x-topic was 'things', is 'others'"),
    "no other fields": (
        lambda s: s.update(additionalProperties=False), "/: additionalProperties was None, is False"
    ),
}  # fmt: skip

FINE: dict[str, Change] = {
    "nothing": lambda s: None,
    "a new optional field": lambda s: s["properties"].update(new={"type": "string", "default": None}),
    "a new optional field in a list": lambda s: _line(s)["properties"].update(m={"type": "integer"}),
    "other words": lambda s: s["properties"]["id"].update(description="x", title="Id", examples=["y"]),
    "another order": lambda s: (s["required"].reverse(), s["properties"]["kind"]["enum"].reverse()),
}


@pytest.mark.parametrize(("change", "said"), BREAKS.values(), ids=BREAKS)
def test_a_break_is_found_and_named(change: Change, said: str) -> None:
    now = deepcopy(PUBLISHED)
    change(now)
    assert [str(one) for one in breaks(PUBLISHED, now)] == [said]


@pytest.mark.parametrize("change", FINE.values(), ids=FINE)
def test_what_breaks_nobody_passes(change: Change) -> None:
    now = deepcopy(PUBLISHED)
    change(now)
    assert breaks(PUBLISHED, now) == []


def test_definitions_are_followed() -> None:
    """A rename of a class is no break, a change inside of it is one."""
    was = schema_of(ActualsPosted)
    now = deepcopy(was)
    definition = now["definitions"]["Row"] = now["definitions"].pop("PostedActual")
    now["properties"]["actuals"]["items"]["$ref"] = "#/definitions/Row"
    assert breaks(with_refs_resolved(was), with_refs_resolved(now)) == []
    definition["properties"]["cause"]["enum"].remove("close")
    (one,) = breaks(with_refs_resolved(was), with_refs_resolved(now))
    assert (one.at, one.what) == ("/actuals/*/cause", "'close' is no value any more")


def test_the_limits_of_decimals_are_in_the_schema() -> None:
    """They are checks of Python's: a schema that did not say them could be narrowed unseen."""
    entry = schema_of(EntriesApproved)["definitions"]["ApprovedEntry"]["properties"]
    assert (entry["quantity"]["x-minimum"], entry["quantity"]["x-maximum"]) == ("0.01", "1000000")
