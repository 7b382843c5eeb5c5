"""ASGI layers around every app: ids and metrics, and the limit on bodies.

Plain ASGI, because Starlette's BaseHTTPMiddleware cancels work under way when a client leaves.
"""

import time
from collections.abc import MutableMapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proforma.errors import Problem, TooLarge
from proforma.problems import respond
from proforma.telemetry import HTTP_SECONDS, logger, traced
from proforma.tracing import OFF, Span, Tracing, spanned

_PROBES = ("/health", "/metrics")
_SERVER_ERRORS = 500

log = logger()


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None


class Observe:
    """Gives each request its ids, logs and measures it, and answers for what nobody below has caught."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parent = _header(scope, b"traceparent")
        # Probes and scrapes come every few seconds from each of many: no trace of them is ever looked at.
        tracing: Tracing = OFF if scope["path"].startswith(_PROBES) else scope["app"].state.runtime.tracing
        with (
            spanned(tracing, "server", scope["method"], parent) as span,
            traced(_header(scope, b"x-request-id"), span.traceparent) as (request_id, trace),
        ):
            ids = [(b"x-request-id", request_id.encode()), (b"traceparent", trace.encode())]
            await self._observed(scope, receive, send, ids, span)

    async def _observed(
        self, scope: Scope, receive: Receive, send: Send, ids: list[tuple[bytes, bytes]], span: Span
    ) -> None:
        began = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *ids]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            # Starlette's own handler for these sits outside of this layer, where the request's ids are lost.
            log.error("http.unexpected", exc_info=error)
            if not status:
                await respond(Problem("something went wrong here; nothing was changed"))(scope, receive, sending)
        finally:
            took = time.perf_counter() - began
            route = _route(scope)
            HTTP_SECONDS.labels(scope["method"], route, status).observe(took)
            span.rename(f"{scope['method']} {route}", {
                "http.request.method": scope["method"], "http.route": route, "http.response.status_code": status,
                "url.path": scope["path"],
            })  # fmt: skip
            if status >= _SERVER_ERRORS:
                span.fail(str(status))
            if not route.startswith(_PROBES):
                log.info("http", method=scope["method"], path=scope["path"], status=status, ms=round(took * 1000, 1))


def _route(scope: MutableMapping[str, Any]) -> str:
    # The template, not the path: one time series per route, not one per invoice.
    return str(getattr(scope.get("route"), "path", "none"))


class BodyLimit:
    """Answers 413 to a body over the limit, by its Content-Length or as soon as too much has come."""

    def __init__(self, app: ASGIApp, streamed: frozenset[str]) -> None:
        self._app = app
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._streamed:
            await self._app(scope, receive, send)
            return
        most: int = scope["app"].state.runtime.settings.limits.body_bytes_max
        length = _header(scope, b"content-length")
        if length and length.isdigit() and int(length) > most:
            await respond(TooLarge(f"at most {most} bytes"))(scope, receive, send)
            return
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                raise HTTPException(413, f"at most {most} bytes")
            return message

        await self._app(scope, counting, send)
