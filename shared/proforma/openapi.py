"""The OpenAPI document as FastAPI makes it, put right where it says something else than the edge does."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

PROBLEM = "application/problem+json"


def describe(app: FastAPI) -> None:
    """Makes the app's document tell the truth about problems and idempotency keys."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made()
            for method, operation in _operations(document):
                _as_problems(operation["responses"])
                if method != "post":
                    _without_key(operation)
        return made()

    app.openapi = openapi  # type: ignore[method-assign]


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for item in document["paths"].values():
        yield from item.items()


def _as_problems(responses: dict[str, Any]) -> None:
    # FastAPI has one media type for all answers of a route.
    for response in responses.values():
        content = response.get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if schema == {"$ref": "#/components/schemas/ProblemOut"}:
            response["content"] = {PROBLEM: content["application/json"]}


def _without_key(operation: dict[str, Any]) -> None:
    # The dependency that opens the transaction is the same for every method; only POST looks at the key.
    parameters = [one for one in operation.get("parameters", []) if one["name"] != "Idempotency-Key"]
    operation.pop("parameters", None)
    if parameters:
        operation["parameters"] = parameters
