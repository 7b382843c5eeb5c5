"""The JSON Schema of every event, made from the models: what a message's body may be, for those who are not Python."""

import inspect
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from proforma.envelope import Event
from proforma.events import billing_backlog, invoicing, scheduler, time_expense
from proforma.vocabulary import describe
from reference.samples import SAMPLES

# Draft 7: the newest one that every tool for AsyncAPI must understand.
DRAFT = "http://json-schema.org/draft-07/schema#"
_DEFINITIONS = "definitions"

Schema = dict[str, Any]


def _events() -> Iterator[type[Event]]:
    for module in (time_expense, billing_backlog, invoicing, scheduler):
        for _, one in inspect.getmembers(module, inspect.isclass):
            if issubclass(one, Event) and one.__module__ == module.__name__:
                yield one


EVENTS: tuple[type[Event], ...] = tuple(sorted(_events(), key=lambda one: one.TYPE))
"""Every event that there is, by type."""


def producer_of(event: type[Event]) -> str:
    """The service that says it: the second word of its type."""
    return event.TYPE.split(".")[1]


def schema_of(event: type[Event]) -> Schema:
    """The schema of an event's body, with its example."""
    made = event.model_json_schema(by_alias=True, mode="validation", ref_template=f"#/{_DEFINITIONS}/{{model}}")
    definitions = made.pop("$defs", {})
    for name, definition in {event.__name__: made, **definitions}.items():
        _without_titles(definition)
        describe(name, definition)
    return {
        "$schema": DRAFT,
        "$id": f"urn:proforma:event:{event.TYPE}",
        "title": event.TYPE,
        "description": made.pop("description"),
        "x-topic": event.TOPIC,
        **made,
        _DEFINITIONS: definitions,
        "examples": [sample_of(event)],
    }


def sample_of(event: type[Event]) -> Any:
    """The body of the example, as it travels."""
    return SAMPLES[event].model_dump(mode="json")


def _without_titles(definition: Schema) -> None:
    # Pydantic's titles say the field's name once more.
    definition.pop("title", None)
    for field in definition.get("properties", {}).values():
        field.pop("title", None)


def with_refs_resolved(schema: Mapping[str, Any]) -> Schema:
    """The schema with its definitions put where they are named: two that mean the same then look the same."""
    definitions = schema.get(_DEFINITIONS, {})

    def resolved(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                target = definitions[node["$ref"].rpartition("/")[2]]
                return resolved({**deepcopy(target), **{k: v for k, v in node.items() if k != "$ref"}})
            return {key: resolved(value) for key, value in node.items()}
        return [resolved(one) for one in node] if isinstance(node, list) else node

    whole: Schema = resolved({key: value for key, value in schema.items() if key != _DEFINITIONS})
    return whole
