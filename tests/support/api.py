"""A service's HTTP interface without a socket: httpx into the app, with its lifespan."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import httpx
from fastapi import FastAPI

from proforma.auth import Verifier
from proforma.runtime import Runtime
from tests.support.databases import service_named
from tests.support.tokens import Tokens


class Api:
    """`api.as_("biller").post("/v1/contracts", json=...)`: one client per caller."""

    def __init__(self, app: FastAPI, runtime: Runtime, tokens: Tokens, closing: AsyncExitStack) -> None:
        self.app = app
        self.runtime = runtime
        self._tokens = tokens
        self._closing = closing
        self._clients: dict[object, httpx.AsyncClient] = {}

    def as_(self, *roles: str, sub: str | None = None, projects: list[str] | None = None) -> httpx.AsyncClient:
        """A client with a token of these roles; `sub` is the first role's name unless given."""
        who = (roles, sub, tuple(projects) if projects is not None else None)
        if who not in self._clients:
            self._clients[who] = self.with_token(self._tokens.token(*roles, sub=sub, projects=projects))
        return self._clients[who]

    def with_token(self, token: str | None) -> httpx.AsyncClient:
        """A client with this token, or with none."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        # A failure must come out as the answer that a caller over a socket would get.
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)
        self._closing.push_async_callback(client.aclose)
        return client


_FREE: dict[str, list[FastAPI]] = {}


@contextmanager
def app_of(runtime: Runtime) -> Iterator[FastAPI]:
    """The service's app, for this runtime. Building its routes costs more than most tests: a free one serves again."""
    free = _FREE.setdefault(runtime.service, [])
    app = free.pop() if free else service_named(runtime.service).app(runtime)
    app.state.runtime, app.state.verifier = runtime, Verifier(runtime.settings)
    try:
        yield app
    finally:
        free.append(app)


@asynccontextmanager
async def serving(app: FastAPI, runtime: Runtime, tokens: Tokens) -> AsyncIterator[Api]:
    """The app between its start and its end."""
    async with AsyncExitStack() as closing:
        await closing.enter_async_context(app.router.lifespan_context(app))
        yield Api(app, runtime, tokens, closing)
