"""The access lists of docs/kafka.md, and what the code needs."""

import re
from dataclasses import dataclass

from proforma.topics import TOPICS
from tests.architecture.source import ROOT
from tests.support.databases import service_named

_ROW = re.compile(
    r"^\| `(?P<service>[a-z-]+)` \| (?P<reads>[^|]+) \| (?P<writes>[^|]+) \| `(?P<group>[^|`]+)` \|$", re.M
)


@dataclass(frozen=True)
class Rights:
    """Topics to READ and to WRITE, and the group to READ."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    group: str


def documented() -> dict[str, Rights]:
    """Service → its row in docs/kafka.md."""
    text = (ROOT / "docs" / "kafka.md").read_text()
    return {row["service"]: Rights(_names(row["reads"]), _names(row["writes"]), row["group"]) for row in _rows(text)}


def _rows(text: str) -> list[re.Match[str]]:
    return list(_ROW.finditer(text))


def _names(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([a-z.-]+)`", cell))


def needed(service: str) -> Rights:
    """What handlers read and what the service writes; its own topics it reads as well, to know what it has said."""
    handlers = service_named(service).work(None).handlers  # type: ignore[arg-type]
    writes = tuple(topic.name for topic in TOPICS if topic.name.startswith(f"{service}."))
    return Rights((*handlers.topics, *writes), writes, f"proforma.{service}")
