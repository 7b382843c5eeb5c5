"""CloudEvents in Kafka's binary mode, as much of it as a neighbour of Proforma needs. It needs nothing of ours."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: `key` decides the partition, so what has the same key keeps its order."""

    topic: str
    key: str
    headers: list[tuple[str, bytes]]
    body: bytes


def message(
    source: str, kind: str, topic: str, key: str, body: Mapping[str, Any], at: datetime, event_id: UUID | None = None
) -> Message:
    """A CloudEvent of `kind` from `source` (your system's URI), said at `at` (aware).

    Its id, unless given, is made of what it says: sent again after a crash it is the same message and takes effect
    once, while something else under the same revision is another one, and is set aside visibly, not overlooked.
    """
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": str(event_id or derived(source, kind, text)),
        "ce_source": source,
        "ce_type": kind,
        "ce_subject": key,
        "ce_time": at.isoformat(),
        "content-type": "application/json",
    }
    return Message(topic, key, [(name, value.encode()) for name, value in attributes.items()], text.encode())


def derived(*parts: object) -> UUID:
    """The same parts make the same id, today and on another machine."""
    return uuid5(NAMESPACE_URL, "\x1f".join(map(str, parts)))


def attribute(headers: Headers, name: str) -> str:
    """A header's text; raises ValueError where it is missing."""
    found = next((value for key, value in headers if key == name and value is not None), None)
    if found is None:
        raise ValueError(f"there is no {name}")
    return found.decode()


def in_pieces(many: Sequence[Any], size: int = 500) -> Iterable[Sequence[Any]]:
    """Lists in a body hold 500 things at most."""
    return (many[start : start + size] for start in range(0, len(many), size))
