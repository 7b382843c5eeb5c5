"""`make docs` writes the documents of HTTP and topics, `make publish` freezes the events that are published."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reference import asyncapi, published
from reference.openapi import SERVICES, document_of

DOCS = Path(__file__).parents[1]


def documents() -> dict[str, str]:
    """Every document that is made, by its path below `docs/`."""
    schemas = {f"events/{kind}.json": _text(schema) for kind, schema in published.current().items()}
    apis = {f"openapi/{service.name}.json": _text(document_of(service)) for service in SERVICES}
    return {**schemas, **apis, "asyncapi.yaml": asyncapi.text()}


def write(texts: Mapping[str, str], docs: Path = DOCS) -> None:
    """Writes the documents, and takes away those of events and services that are no more."""
    for folder in ("events", "openapi"):
        for file in (docs / folder).glob("*.json"):
            if f"{folder}/{file.name}" not in texts:
                file.unlink()
    for name, text in texts.items():
        file = docs / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def publish(folder: Path = published.FOLDER) -> list[str]:
    """Freezes the events as they are; returns instead what that would break of what was published."""
    now = published.current()
    broken = published.broken(published.published(folder), now)
    if broken:
        return [f"{kind} {one}" for kind, found in broken.items() for one in found]
    folder.mkdir(parents=True, exist_ok=True)
    for kind, schema in now.items():
        (folder / f"{kind}.json").write_text(_text(schema))
    return []


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Runs the command; publishing what breaks something ends with 1."""
    parser = argparse.ArgumentParser(prog="python -m reference", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["write", "publish"], default="write")
    if parser.parse_args().command == "write":
        write(documents())
        return
    refused = publish()
    if refused:
        sys.exit("\n".join([*refused, "A change like this is a new class with .v2 beside the old one."]))


if __name__ == "__main__":
    main()
