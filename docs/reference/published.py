"""What was published: frozen copies of schemas, which `make docs` does not touch and a release adds to."""

import json
from collections.abc import Mapping
from pathlib import Path

from reference.compare import Break, breaks
from reference.events import EVENTS, Schema, schema_of, with_refs_resolved

FOLDER = Path(__file__).parents[1] / "events" / "published"


def published(folder: Path = FOLDER) -> dict[str, Schema]:
    """The frozen schemas, by type of event."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}


def current() -> dict[str, Schema]:
    """The schemas as the models are now, by type of event."""
    return {event.TYPE: schema_of(event) for event in EVENTS}


def broken(frozen: Mapping[str, Schema], now: Mapping[str, Schema]) -> dict[str, list[Break]]:
    """What was published and is kept no longer, by type of event; nothing where all is."""
    found = {
        kind: breaks(with_refs_resolved(was), with_refs_resolved(now[kind]))
        if kind in now
        else [Break("", "the event is gone")]
        for kind, was in frozen.items()
    }
    return {kind: all_of_it for kind, all_of_it in found.items() if all_of_it}
