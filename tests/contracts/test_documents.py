"""The documents in `docs/` are what the models say, and an event that was published keeps its promise."""

import json
from pathlib import Path
from typing import Any

import pytest

from reference import published
from reference.__main__ import DOCS, documents, publish, write
from reference.events import EVENTS

STALE = "{} is not what the models say now: run `make docs` and commit what it writes"


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """All documents, made from the models as they are; the services' apps are built once for it."""
    return documents()


def test_the_documents_are_up_to_date(made: dict[str, str]) -> None:
    for name, text in made.items():
        assert (DOCS / name).is_file(), STALE.format(name)
        assert (DOCS / name).read_text() == text, STALE.format(name)
    there = {f"{folder}/{file.name}" for folder in ("events", "openapi") for file in (DOCS / folder).glob("*.json")}
    assert there == made.keys() - {"asyncapi.yaml"}


def test_writing_takes_away_what_is_no_more(tmp_path: Path) -> None:
    texts = {"events/a.v1.json": "{}\n", "openapi/b.json": "{}\n", "asyncapi.yaml": "asyncapi: 3.0.0\n"}
    frozen = tmp_path / "events" / "published" / "gone.v1.json"
    frozen.parent.mkdir(parents=True)
    for file in (frozen, tmp_path / "events" / "gone.v1.json"):
        file.write_text("{}\n")
    write(texts, tmp_path)
    write(texts, tmp_path)
    left = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    assert left == {*texts, "events/published/gone.v1.json"}, "what was published is not touched"


def test_no_published_event_is_broken() -> None:
    frozen = published.published()
    assert frozen, "nothing is published"
    broken = published.broken(frozen, published.current())
    told = [f"{kind} {one}" for kind, found in broken.items() for one in found]
    assert told == [], "a change like this is a new class with .v2 beside the old one (CONTRIBUTING, An event)"


def test_every_event_is_found() -> None:
    assert len(EVENTS) == len({event.TYPE for event in EVENTS}) == 15


def _frozen(folder: Path, change: Any) -> Path:
    """What is published, with one file changed as if it had been so once."""
    assert publish(folder) == []
    file = folder / "proforma.scheduler.run.due.v1.json"
    schema = json.loads(file.read_text())
    change(schema)
    file.write_text(json.dumps(schema))
    return file


def test_publishing_freezes_what_is_new(tmp_path: Path) -> None:
    def without_version(schema: Any) -> None:
        # As it was before the field came, optional.
        del schema["properties"]["schedule_version"]
        schema["required"].remove("schedule_version")

    file = _frozen(tmp_path, without_version)
    assert [str(one) for one in publish(tmp_path)] == [
        "proforma.scheduler.run.due.v1 /schedule_version: a new field is required"
    ]
    file.unlink()
    assert publish(tmp_path) == []
    assert file.is_file()


def test_publishing_refuses_a_break_and_writes_nothing(tmp_path: Path) -> None:
    file = _frozen(tmp_path, lambda schema: schema["properties"]["run_date"].update(format="date-time"))
    before = file.read_text()
    assert publish(tmp_path) == ["proforma.scheduler.run.due.v1 /run_date: format was 'date-time', is 'date'"]
    assert file.read_text() == before


def test_an_event_that_is_gone_is_a_break(tmp_path: Path) -> None:
    _frozen(tmp_path, lambda schema: None)
    now = published.current()
    del now["proforma.scheduler.run.due.v1"]
    assert [*published.broken(published.published(tmp_path), now)] == ["proforma.scheduler.run.due.v1"]
