"""`docs/asyncapi.yaml`: the topics, who says what on them, who listens, and how a message looks. AsyncAPI 3.0."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import yaml

from proforma.envelope import Envelope, Event
from proforma.errors import BrokenRule
from proforma.handlers import Handlers
from proforma.topics import TOPICS, Topic
from reference.events import EVENTS, producer_of, sample_of
from reference.openapi import SERVICES, runtime_of
from reference.samples import SAMPLES

VERSION = "3.0.0"
_KAFKA = {"bindingVersion": "0.5.0"}
# Draft 7 by reference: one schema a file, the same for those who read no AsyncAPI.
_SCHEMA_FORMAT = "application/schema+json;version=draft-07"
_OUTSIDE = ("time-expense.entries", "scheduler.triggers")

_WHEN = datetime(2026, 3, 3, 8, 30, tzinfo=UTC)

_KEYS = {
    "time-expense.entries": "The project's code.",
    "billing-backlog.answers": "The contract's id, or the project's code where no contract has the work.",
    "billing-backlog.actuals": "The contract's id, or the project's code where no contract has the work.",
}
_CONTRACT_KEY = "The contract's id."

_INFO = """\
Proforma's topics. Each message is a CloudEvent 1.0 in Kafka's binary mode: attributes as `ce_*` headers, the body as
JSON. It may come more than once (deduplicate by `ce_id`, and by the body's own ids, because what is asked again is
said again under a new `ce_id`) and, across keys and after a replay, in another order. Unknown fields are to be
ignored. A change that could break a reader or a writer is a new type, `.v2`, beside the old one. Anybody with the right
to may write to `time-expense.entries` (approvals from another time system) and `scheduler.triggers` (another
scheduler): see integrate.md.
"""

_HEADERS = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {
            "type": "string", "format": "uuid",
            "description": "The message's id. The same one may come again; it must take effect once.",
        },
        "ce_source": {
            "type": "string", "format": "uri-reference",
            "description": "Who says it: `/<service>` of ours, anything else of others.",
        },
        "ce_type": {"type": "string", "description": "`proforma.<service>.<noun>.<verb>.v<version>`."},
        "ce_subject": {"type": "string", "description": "The Kafka key once more."},
        "ce_time": {"type": "string", "format": "date-time", "description": "When it was said."},
        "ce_outboxid": {
            "type": "string", "pattern": "^[0-9]+$",
            "description": "Its place among all that this source and origin have said. Ours only; others leave it out.",
        },
        "ce_outboxorigin": {
            "type": "string", "format": "uuid",
            "description": "The random id of the database that said it. Ours only; others leave it out.",
        },
        "content-type": {"type": "string", "const": "application/json"},
        "traceparent": {"type": "string", "description": "W3C trace context of the work that caused it."},
        "x-request-id": {"type": "string", "description": "The request that caused it."},
    },
}  # fmt: skip


def document() -> dict[str, Any]:
    """The whole document."""
    return {
        "asyncapi": VERSION,
        "id": "urn:proforma",
        "info": {"title": "Proforma", "version": "1", "description": _INFO},
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "127.0.0.1:19092", "protocol": "kafka",
                "description": "The embedded stack; `.proforma/stack.json` says where it is when the port was taken.",
            }
        },
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {name: one for topic in TOPICS for name, one in _operations(topic)},
        "components": {
            "messages": {event.TYPE: _message(event) for event in EVENTS},
            "schemas": {"headers": _HEADERS},
        },
    }  # fmt: skip


def text() -> str:
    """As it is written: keys in their order, no anchors."""
    dumped: str = yaml.dump(document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return "# Made from the models by `make docs`; do not edit.\n" + dumped


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML ships without types
    """Texts of several lines stay readable, and nothing refers to what happens to be the same object."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _as_block(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if value.endswith("\n") else None)


_Dumper.add_representer(str, _as_block)


def _channel(topic: Topic) -> dict[str, Any]:
    config = topic.config()
    return {
        "address": topic.name,
        "description": f"Key: {_KEYS.get(topic.name, _CONTRACT_KEY)} Kept for {topic.retention_days} days, never "
        "compacted."
        + (" Other publishers may write here." if topic.name in _OUTSIDE else ""),
        "servers": [{"$ref": "#/servers/local"}],
        "messages": {event.TYPE: {"$ref": f"#/components/messages/{event.TYPE}"} for event in _on(topic)},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [config["cleanup.policy"]],
                    "retention.ms": int(config["retention.ms"]),
                },
                **_KAFKA,
            }
        },
    }  # fmt: skip


def _on(topic: Topic) -> list[type[Event]]:
    return [event for event in EVENTS if topic.name == event.TOPIC]


def _operations(topic: Topic) -> Iterable[tuple[str, dict[str, Any]]]:
    said = _on(topic)
    for producer in sorted({producer_of(event) for event in said}):
        yield f"{producer}.send.{topic.name}", _operation("send", producer, topic, said)
    for service, heard in sorted(listeners().items()):
        mine = [event for event in said if event in heard]
        if mine:
            yield f"{service}.receive.{topic.name}", _operation("receive", service, topic, mine)


def listeners() -> Mapping[str, Sequence[type[Event]]]:
    """Which service handles which events."""
    of_services = {service.name: service.work(runtime_of(service)).handlers for service in SERVICES}
    return {name: [event for event in EVENTS if _hears(its, event)] for name, its in of_services.items()}


def _hears(handlers: Handlers, event: type[Event]) -> bool:
    try:
        return handlers.of(event.TYPE) is not None
    except BrokenRule:  # Another version of what it does handle.
        return False


def _operation(action: str, service: str, topic: Topic, events: Sequence[type[Event]]) -> dict[str, Any]:
    one: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": f"{service} {'says' if action == 'send' else 'listens to'} this.",
        "tags": [{"name": service}],
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{event.TYPE}"} for event in events],
    }
    if action == "receive":
        group = {"type": "string", "enum": [f"proforma.{service}"]}
        one["bindings"] = {"kafka": {"groupId": group, **_KAFKA}}
    return one


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.TYPE,
        "title": event.__name__,
        "summary": (event.__doc__ or "").strip(),
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/headers"},
                {"type": "object", "properties": {"ce_type": {"type": "string", "const": event.TYPE}}},
            ]
        },
        "payload": {"schemaFormat": _SCHEMA_FORMAT, "schema": {"$ref": f"./events/{event.TYPE}.json"}},
        "bindings": {
            "kafka": {"key": {"type": "string", "description": _KEYS.get(event.TOPIC, _CONTRACT_KEY)}, **_KAFKA}
        },
        "examples": [{"name": "example", "headers": _sample_headers(event), "payload": sample_of(event)}],
    }


def _sample_headers(event: type[Event]) -> dict[str, str]:
    envelope = Envelope(
        id=UUID("01998a60-1111-7000-8000-000000000001"), source=f"/{producer_of(event)}", type=event.TYPE,
        subject=SAMPLES[event].key(), time=_WHEN, outbox_id=4711, outbox_origin=UUID(int=0x4711), trace={},
    )  # fmt: skip
    return {name: value.decode() for name, value in envelope.headers()}
