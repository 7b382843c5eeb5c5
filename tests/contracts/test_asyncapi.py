"""`docs/asyncapi.yaml` as a whole: every reference leads somewhere, and it says what topics, models and handlers do.

It was held against AsyncAPI's own JSON Schema of 3.0.0 by hand; this holds the rules that our document can break.
"""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import yaml

from proforma.topics import TOPICS
from reference.__main__ import DOCS
from reference.events import EVENTS, producer_of

ROOT_FIELDS = {
    "asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"
}  # fmt: skip


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """As it is committed; another test holds it to the models."""
    read: dict[str, Any] = yaml.safe_load((DOCS / "asyncapi.yaml").read_text())
    return read


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for one in node:
            yield from references(one)


def target(document: Any, pointer: str) -> Any:
    """What a reference inside the document names; raises KeyError where it leads nowhere."""
    for part in pointer.removeprefix("#/").split("/"):
        document = document[part]
    return document


def test_the_outline(document: dict[str, Any]) -> None:
    assert document["asyncapi"] == "3.0.0"
    assert document.keys() == ROOT_FIELDS
    assert {"title", "version"} <= document["info"].keys()
    for server in document["servers"].values():
        assert (server["protocol"], "://" in server["host"]) == ("kafka", False)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert len(found) > 30
    for one in found:
        if one.startswith("#/"):
            assert target(document, one), one
        else:
            assert (DOCS / one).is_file(), one


def test_every_topic_is_a_channel_with_key_partitions_and_retention(document: dict[str, Any]) -> None:
    channels = document["channels"]
    assert channels.keys() == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        channel = channels[topic.name]
        kafka = channel["bindings"]["kafka"]
        assert channel["address"] == topic.name
        assert channel["description"].startswith("Key: ")
        assert kafka["partitions"] == topic.partitions
        assert kafka["topicConfiguration"] == {
            "cleanup.policy": ["delete"], "retention.ms": topic.retention_days * 24 * 60 * 60 * 1000
        }  # fmt: skip
        assert channel["messages"].keys() == {event.TYPE for event in EVENTS if topic.name == event.TOPIC}


def test_who_says_what_and_who_listens(document: dict[str, Any]) -> None:
    """Every operation names messages of its own channel; every message is said by its producer."""
    said: dict[str, set[str]] = {}
    heard: dict[str, set[str]] = {}
    for name, one in document["operations"].items():
        channel = one["channel"]["$ref"]
        assert all(message["$ref"].startswith(f"{channel}/messages/") for message in one["messages"]), name
        by = said if one["action"] == "send" else heard
        (tag,) = one["tags"]
        by.setdefault(tag["name"], set()).update(message["$ref"].rpartition("/")[2] for message in one["messages"])
    assert said == {
        service: {event.TYPE for event in EVENTS if producer_of(event) == service}
        for service in ("time-expense", "billing-backlog", "invoicing", "scheduler")
    }
    assert heard["scheduler"] == {
        "proforma.billing-backlog.schedule.changed.v1", "proforma.billing-backlog.schedule.ended.v1"
    }  # fmt: skip
    unheard = {event.TYPE for event in EVENTS} - {kind for kinds in heard.values() for kind in kinds}
    assert unheard == {"proforma.billing-backlog.actuals.posted.v1"}, "all but what others read is handled"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)
def test_every_message_has_headers_payload_and_a_valid_example(document: dict[str, Any], event: Any) -> None:
    message = document["components"]["messages"][event.TYPE]
    assert message["payload"]["schema"] == {"$ref": f"./events/{event.TYPE}.json"}
    common, own = message["headers"]["allOf"]
    headers = {**target(document, common["$ref"])}
    assert {"ce_id", "ce_outboxid", "ce_outboxorigin"} <= headers["properties"].keys()
    (example,) = message["examples"]
    for schema in (headers, own):
        jsonschema_rs.validator_for(schema, validate_formats=True).validate(example["headers"])
    wrong = {**example["headers"], "ce_type": "another"}
    assert not jsonschema_rs.validator_for(own).is_valid(wrong)
