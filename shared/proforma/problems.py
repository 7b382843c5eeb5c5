"""Problems as responses: the only place where an error meets HTTP."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from proforma.bodies import ProblemOut
from proforma.errors import Conflict, Forbidden, Invalid, Problem, Stale, TooLarge, Unauthenticated, Unavailable
from proforma.errors import NotFound as NotFoundProblem
from proforma.errors import PreconditionRequired as NeedsMatch
from proforma.failures import is_deterministic
from proforma.idempotency import Replayed
from proforma.telemetry import REQUEST_ID, logger

log = logger()

_BY_STATUS: dict[int, type[Problem]] = {
    kind.status: kind
    for kind in (
        Unauthenticated,
        Forbidden,
        NotFoundProblem,
        Conflict,
        Stale,
        TooLarge,
        Invalid,
        NeedsMatch,
        Unavailable,
    )
}
_FROM_THE_DATABASE = (
    OSError, DBAPIError, PoolTimeout, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError
)  # fmt: skip


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses` for these problem statuses, beside those that every route can answer."""
    wanted = sorted({401, 403, 422, 503, *statuses})
    return {status: {"description": _BY_STATUS[status].title, "model": ProblemOut} for status in wanted}


def respond(problem: Problem) -> Response:
    """The response of one problem."""
    body = {
        "type": f"urn:proforma:problem:{problem.name}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": REQUEST_ID.get(),
    }
    # The problem's own members come second: a thing's state under the name "status" would hide the HTTP status.
    body |= {name: value for name, value in problem.extra.items() if name not in body}
    headers = {}
    if isinstance(problem, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(problem, Unavailable):
        headers["Retry-After"] = "1"
    return JSONResponse(body, problem.status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Registers every handler on the app."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(Replayed, _replayed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for kind in _FROM_THE_DATABASE:
        app.add_exception_handler(kind, _database)


async def _problem(_: Request, error: Exception) -> Response:
    return respond(error if isinstance(error, Problem) else Problem(str(error)))


async def _replayed(_: Request, error: Exception) -> Response:
    if not isinstance(error, Replayed):  # pragma: no cover
        raise error
    return error.response


async def _http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # pragma: no cover
        raise error
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # FastAPI's answer to a body that its parser gives up on: to the caller one more invalid request.
        return respond(Invalid("the body cannot be read", [{"pointer": "", "detail": str(error.detail)}]))
    problem = _BY_STATUS.get(error.status_code, Problem)(str(error.detail))
    if type(problem) is Problem:
        problem.status, problem.title = error.status_code, str(error.detail)
        problem.name = re.sub(r"[^a-z]+", "-", str(error.detail).lower()).strip("-") or "http"
    response = respond(problem)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def _database(_: Request, error: Exception) -> Response:
    cause = (error.orig.__cause__ or error) if isinstance(error, DBAPIError) and error.orig else error
    if isinstance(cause, asyncpg.UniqueViolationError):
        return respond(Conflict(f"exists already: {cause.detail or cause.constraint_name}"))
    if isinstance(cause, asyncpg.ForeignKeyViolationError):
        return respond(Conflict(f"refers to something that is not there: {cause.detail or cause.constraint_name}"))
    # A missing table or right is a mistake of ours: to send the same call again would not help.
    if not is_deterministic(error) and not isinstance(cause, asyncpg.SyntaxOrAccessError):
        log.warning("http.database_away", problem=str(cause))
        return respond(Unavailable("the database did not answer in time; nothing was changed"))
    log.error("http.database_error", exc_info=error)
    return respond(Problem("something went wrong here; nothing was changed"))


async def _invalid(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):  # pragma: no cover
        raise error
    return respond(Invalid("the request is not valid", [_field(one) for one in error.errors()][:100]))


def _field(error: dict[str, Any]) -> dict[str, Any]:
    # "loc" of broken JSON is a place in the text, not a field.
    loc = error["loc"][:1] if error["type"] == "json_invalid" else error["loc"]
    found: dict[str, Any] = {"pointer": _pointer(loc), "detail": str(error["msg"])}
    expected = error.get("ctx", {}).get("expected")
    if error["type"] in ("literal_error", "enum") and isinstance(expected, str):
        found["allowed"] = re.findall(r"'([^']*)'", expected)
    return found


def _pointer(loc: Sequence[int | str]) -> str:
    where, *path = loc
    if where == "body":
        path = [part for part in path if part not in ("one", "many")]
    else:
        path = [{"header": "headers"}.get(str(where), str(where)), *path]
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
