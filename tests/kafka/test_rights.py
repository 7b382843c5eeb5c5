"""docs/kafka.md lists the rights that the code needs; a new handler or topic must not be forgotten there."""

import importlib
import inspect

import pytest

from proforma.envelope import Event
from proforma.topics import TOPICS
from tests.kafka.rights import documented, needed
from tests.support.product import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_the_documented_rights_are_those_that_the_code_needs(service: str) -> None:
    assert documented()[service] == needed(service)


def test_a_topic_is_named_after_the_service_that_writes_it() -> None:
    """What `needed` takes for granted: every event class lies with its producer, on one of the producer's topics."""
    known = {topic.name for topic in TOPICS}
    for service in SERVICES:
        module = importlib.import_module(f"proforma.events.{service.replace('-', '_')}")
        own = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__]
        topics = {kind.TOPIC for kind in own if issubclass(kind, Event) and "TOPIC" in vars(kind)}
        assert topics
        assert all(topic in known and topic.startswith(f"{service}.") for topic in topics), topics
