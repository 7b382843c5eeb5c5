"""The OpenAPI document as FastAPI makes it, put right where it says something else than the edge does.

And completed: every field and parameter has its meaning (`vocabulary`) and an example, every problem one of its kind.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from proforma.vocabulary import describe as describe_fields
from proforma.vocabulary import describe_parameter

PROBLEM = "application/problem+json"

_ID = "01998a60-0000-7000-8000-000000000002"
_BY_FORMAT = {"uuid": _ID, "date": "2026-03-02", "date-time": "2026-03-03T08:30:00Z", "binary": "…"}
_EXAMPLES: Mapping[str, str] = {
    "Idempotency-Key": "invoice-run-2026-03",
    "If-Match": '"3"',
    "accept_reason": "agreed with the customer by letter",
    "action": "submitted",
    "before": "draft",
    "billing_address": "1 High Street\nLondon",
    "billing_type": "chargeable",
    "body": '{"entries": []}',
    "category": "travel",
    "cause": "approve",
    "contract_name": "Portal",
    "contract_status": "active",
    "currency": "EUR",
    "cost_currency": "EUR",
    "decision_reason": "sent by mistake",
    "description": "login page",
    "detail": "the contract is closed",
    "event_type": "proforma.time-expense.entries.approved.v1",
    "external_description": "Login page",
    "external_id": "timesheet-4711",
    "from": "USD",
    "id": _ID,
    "instance": "9f2c4e1a7b3d",
    "key": "PORTAL",
    "kind": "entries.import",
    "method": "per_unit",
    "name": "Portal",
    "number": "PF-2026-000001",
    "posting_reason": "1 detail does not match what is claimed",
    "product": "ROUTER",
    "project": "PORTAL",
    "reason": "wrong_state",
    "repaired": '{"entries": []}',
    "resource": "ann",
    "role": "dev",
    "status": "ready",
    "task": "LOGIN",
    "tax_id": "GB123456789",
    "thing": _ID,
    "time_zone": "Europe/London",
    "title": "In conflict with the current state",
    "to": "EUR",
    "to_do": "add a rate for the role to a sales price list",
    "topic": "time-expense.entries",
    "unit": "hour",
    "value": "1.0",
    "write_in": "ten metres of cable",
    **dict.fromkeys(("after", "next"), "WyIwMTk5OGE2MCJd"),
    **dict.fromkeys(
        ("accepted_by", "by", "changed_by", "confirmed_by", "created_by", "decided_by", "paused_by", "posted_by",
         "submitted_by"), "bo",
    ),
}  # fmt: skip
_DETAILS: Mapping[str, tuple[str, str]] = {
    "401": ("unauthenticated", "send Authorization: Bearer <token>"),
    "403": ("forbidden", "needs the role manager"),
    "404": ("not-found", f"no contract {_ID}"),
    "409": ("conflict", "the contract is closed; this needs it to be active"),
    "412": ("stale", "the version is 4, If-Match says 3"),
    "413": ("too-large", "the body has more than 4194304 bytes"),
    "422": ("validation", "the request is not valid"),
    "428": ("precondition-required", 'send If-Match with the ETag that you read, or "*"'),
    "503": ("unavailable", "the database did not answer in time; nothing was changed"),
}
_MEMBERS: Mapping[str, Mapping[str, Any]] = {
    "409": {"reason": "wrong_state"},
    "412": {"version": 4},
    "422": {"errors": [{"pointer": "/currency", "detail": "String should match pattern '^[A-Z]{3}$'"}]},
}


def describe(app: FastAPI) -> None:
    """Makes the app's document tell the truth about problems and idempotency keys, and all of it."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made()
            for method, operation in _operations(document):
                _as_problems(operation["responses"])
                if method != "post":
                    _without_key(operation)
                for parameter in operation.get("parameters", []):
                    describe_parameter(parameter)
                    _exemplify(parameter["name"], parameter["schema"])
            for name, schema in document["components"]["schemas"].items():
                describe_fields(name, schema)
                for field, its in schema.get("properties", {}).items():
                    _exemplify(field, its)
        return made()

    app.openapi = openapi  # type: ignore[method-assign]


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for item in document["paths"].values():
        yield from item.items()


def _exemplify(name: str, schema: dict[str, Any]) -> None:
    """An example for a text that may be anything of its kind; numbers, choices and compounds speak for themselves."""
    for one in (schema, *schema.get("anyOf", [])):
        if one.get("type") == "string" and not {"enum", "const", "examples"} & one.keys():
            example = _BY_FORMAT.get(one.get("format", ""), _EXAMPLES.get(name))
            if example is not None and "examples" not in schema:
                schema["examples"] = [example]
            return


def _as_problems(responses: dict[str, Any]) -> None:
    # FastAPI has one media type for all answers of a route.
    for status, response in responses.items():
        content = response.get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if schema == {"$ref": "#/components/schemas/ProblemOut"}:
            response["content"] = {PROBLEM: {"schema": schema, **_example_of(status, response["description"])}}


def _example_of(status: str, title: str) -> dict[str, Any]:
    if status not in _DETAILS:
        return {}
    name, detail = _DETAILS[status]
    kind = f"urn:proforma:problem:{name}"
    problem = {"type": kind, "title": title, "status": int(status), "detail": detail, "instance": "9f2c4e1a7b3d"}
    return {"example": {**problem, **_MEMBERS.get(status, {})}}


def _without_key(operation: dict[str, Any]) -> None:
    # The dependency that opens the transaction is the same for every method; only POST looks at the key.
    parameters = [one for one in operation.get("parameters", []) if one["name"] != "Idempotency-Key"]
    operation.pop("parameters", None)
    if parameters:
        operation["parameters"] = parameters
