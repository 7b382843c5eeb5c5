"""ASGI layers around every app: ids and metrics, and the limit on bodies. Plain ASGI: BaseHTTPMiddleware cancels work."""

import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proforma.errors import TooLarge
from proforma.problems import respond
from proforma.telemetry import HTTP_SECONDS, bind_trace, logger

log = logger()


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None


class Observe:
    """Gives each request its ids, logs it and measures it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500
        with structlog.contextvars.bound_contextvars():
            request_id, trace = bind_trace(_header(scope, b"x-request-id"), _header(scope, b"traceparent"))

            async def sending(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    ids = [(b"x-request-id", request_id.encode()), (b"traceparent", trace.encode())]
                    message["headers"] = [*message.get("headers", []), *ids]
                await send(message)

            try:
                await self._app(scope, receive, sending)
            finally:
                took = time.perf_counter() - began
                route = _route(scope)
                HTTP_SECONDS.labels(scope["method"], route, status).observe(took)
                if not route.startswith(("/health", "/metrics")):
                    log.info(
                        "http", method=scope["method"], path=scope["path"], status=status, ms=round(took * 1000, 1)
                    )


def _route(scope: MutableMapping[str, Any]) -> str:
    # The template, not the path: one time series per route, not one per invoice.
    return str(getattr(scope.get("route"), "path", "none"))


class BodyLimit:
    """Answers 413 to a body over the limit, by its Content-Length or as soon as too much has come."""

    def __init__(self, app: ASGIApp, bytes_max: int, streamed: frozenset[str]) -> None:
        self._app = app
        self._max = bytes_max
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._streamed:
            await self._app(scope, receive, send)
            return
        length = _header(scope, b"content-length")
        if length and length.isdigit() and int(length) > self._max:
            await respond(TooLarge(f"at most {self._max} bytes"))(scope, receive, send)
            return
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max:
                raise HTTPException(413, f"at most {self._max} bytes")
            return message

        await self._app(scope, counting, send)
