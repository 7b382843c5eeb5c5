"""The OpenAPI documents are complete: every field, parameter, error and text has its meaning and an example."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from proforma import vocabulary
from reference.__main__ import DOCS
from reference.events import EVENTS, schema_of

FILES = sorted((DOCS / "openapi").glob("*.json"))


@pytest.fixture(scope="module", params=FILES, ids=lambda file: file.stem)
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    """As it is committed; another test holds it to the services."""
    return read(request.param)


def read(file: Path) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(file.read_text())
    return whole


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


def fields(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for model, schema in document["components"]["schemas"].items():
        for name, field in schema.get("properties", {}).items():
            yield model, name, field


def is_any_text(schema: dict[str, Any]) -> bool:
    kinds = (schema, *schema.get("anyOf", []))
    return any(one.get("type") == "string" and not {"enum", "const", "examples"} & one.keys() for one in kinds)


def test_every_service_has_one() -> None:
    assert [file.stem for file in FILES] == ["billing-backlog", "invoicing", "scheduler", "time-expense"]


def test_every_operation_field_and_parameter_says_what_it_means(document: dict[str, Any]) -> None:
    silent = [name for name, operation in operations(document) if not operation.get("description")]
    silent += [
        f"{name} ?{one['name']}"
        for name, operation in operations(document)
        for one in operation.get("parameters", [])
        if not one.get("description")
    ]
    silent += [f"{model}.{name}" for model, name, field in fields(document) if not field.get("description")]
    silent += [
        model
        for model, schema in document["components"]["schemas"].items()
        if schema.get("type") == "object" and not schema.get("description")
    ]
    assert silent == []


def test_every_text_has_a_valid_example(document: dict[str, Any]) -> None:
    without = [f"{model}.{name}" for model, name, field in fields(document) if is_any_text(field)]
    without = [one for one in without if one not in {f"{m}.{n}" for m, n, f in fields(document) if f.get("examples")}]
    assert without == []
    # The same field is in many models, and making a validator is what takes the time.
    for text in {json.dumps(field) for _, _, field in fields(document) if "examples" in field}:
        field = json.loads(text)
        if "$ref" in text:
            field["components"] = document["components"]
        validator = jsonschema_rs.validator_for(field, validate_formats=True)
        assert all(validator.is_valid(example) for example in field["examples"]), text


def test_every_problem_has_an_example_of_its_kind(document: dict[str, Any]) -> None:
    kinds = {}
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            problem = response.get("content", {}).get("application/problem+json")
            if problem is not None:
                assert problem["example"]["status"] == int(status), name
                kinds[status] = problem["example"]["type"].rpartition(":")[2]
    known = {"401": "unauthenticated", "403": "forbidden", "404": "not-found", "409": "conflict", "412": "stale",
             "413": "too-large", "422": "validation", "428": "precondition-required", "503": "unavailable"}  # fmt: skip
    assert kinds == {status: known[status] for status in kinds}
    assert len(kinds) >= 6


def test_every_field_of_an_event_says_what_it_means() -> None:
    silent = []
    for event in EVENTS:
        schema = schema_of(event)
        for model, its in {event.__name__: schema, **schema["definitions"]}.items():
            silent += [f"{model}.{name}" for name, one in its["properties"].items() if not one.get("description")]
    assert silent == []


def test_no_word_is_there_for_nothing() -> None:
    used: set[str] = set()
    for file in FILES:
        document = read(file)
        for model, name, field in fields(document):
            used |= {name, f"{model}.{name}"} if field["description"] else set()
        for _, operation in operations(document):
            used |= {one["name"] for one in operation.get("parameters", [])}
    for event in EVENTS:
        schema = schema_of(event)
        for model, its in {event.__name__: schema, **schema["definitions"]}.items():
            used |= set(its["properties"]) | {f"{model}.{name}" for name in its["properties"]}
    words = {*vocabulary.WORDS, *vocabulary.OF, *vocabulary.PARAMETERS}
    assert sorted(words - used) == []
