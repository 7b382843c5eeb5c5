"""The HTTP edge: one transaction a request, committed before the answer leaves; preconditions; the app itself."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncSession

from proforma import idempotency, known, problems
from proforma.auth import Caller, Verifier
from proforma.context import Context
from proforma.edge import BodyLimit, Observe
from proforma.errors import Invalid, PreconditionRequired, Stale
from proforma.health import health_router
from proforma.openapi import describe
from proforma.runtime import Runtime

_VERSION_DIGITS = 9
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Route(APIRoute):
    """Keeps the answer of a call with an Idempotency-Key in the call's own transaction.

    FastAPI leaves function-scoped dependencies after the handler returned by this method: so the answer is stored
    first, then the transaction commits, then the answer is sent.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def kept(request: Request) -> Response:
            response = await handle(request)
            identity = getattr(request.state, "idempotency", None)
            if identity is not None:
                await idempotency.keep(request.state.session, identity, response)
            return response

        return kept


async def context_of(request: Request, principal: Caller) -> Context:
    """Dependency: who asks, when, with which Idempotency-Key."""
    runtime: Runtime = request.app.state.runtime
    return Context(
        actor=principal.sub,
        clock=runtime.clock,
        ids=runtime.ids,
        limits=runtime.settings.limits,
        principal=principal,
        self_approval=runtime.settings.self_approval,
        idempotency_key=idempotency.key_of(request) if request.method == "POST" else None,
        path=request.url.path,
    )


Ctx = Annotated[Context, Depends(context_of)]


@asynccontextmanager
async def _transaction(request: Request, context: Context, body: bytes) -> AsyncIterator[AsyncSession]:
    runtime: Runtime = request.app.state.runtime
    async with runtime.database.transaction() as session:
        request.state.session = session
        if request.method not in _READS:
            await known.require(session)
        await idempotency.begin(session, context, request, body)
        yield session


async def transaction(
    request: Request,
    context: Ctx,
    _key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)] = None,
) -> AsyncIterator[AsyncSession]:
    """Dependency: the request's transaction, begun with its Idempotency-Key."""
    body = await request.body() if context.idempotency_key else b""
    async with _transaction(request, context, body) as session:
        yield session


async def streamed_transaction(request: Request, context: Ctx) -> AsyncIterator[AsyncSession]:
    """Like `transaction`, for a body too large to hold: the key is tied to the address and query only."""
    async with _transaction(request, context, b"") as session:
        yield session


# scope="function" commits before the answer is sent; with FastAPI's default scope a failed commit answered 200.
Tx = Annotated[AsyncSession, Depends(transaction, scope="function")]
StreamedTx = Annotated[AsyncSession, Depends(streamed_transaction, scope="function")]


async def if_match(
    value: Annotated[str | None, Header(alias="If-Match", description='The ETag that you read, or "*".')] = None,
) -> int | None:
    """Dependency: the version that the caller read; None for `*`. Raises 428 without the header."""
    if value is None:
        raise PreconditionRequired('send If-Match with the ETag that you read, or "*"')
    text = value.strip().removeprefix("W/").strip('"')
    if text == "*":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _VERSION_DIGITS):
        raise Invalid.field("/headers/If-Match", 'an ETag such as "3", or "*"')
    return int(text)


IfMatch = Annotated[int | None, Depends(if_match)]


def match(version: int, expected: int | None) -> None:
    """Raises Stale when the thing has another version than the caller read."""
    if expected is not None and version != expected:
        raise Stale(f"the version is {version}, If-Match says {expected}", version=version)


def etag(response: Response, version: int) -> None:
    """Sets the ETag of the answer."""
    response.headers["ETag"] = f'"{version}"'


def router(prefix: str, tag: str) -> APIRouter:
    """The router of one noun."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Route, responses=problems.problems())


def create_app(
    runtime: Runtime,
    routers: Sequence[APIRouter],
    title: str,
    description: str,
    streamed: Sequence[str] = (),
) -> FastAPI:
    """A service's app. `streamed` names the paths whose bodies have no limit here.

    What it serves with is `app.state`: nothing else of it knows the runtime.
    """

    @asynccontextmanager
    async def lifespan(served: FastAPI) -> AsyncIterator[None]:
        yield
        await served.state.runtime.database.close()
        served.state.runtime.tracing.close()

    app = FastAPI(
        title=title, description=description, version="1", lifespan=lifespan, redoc_url=None, redirect_slashes=False
    )
    app.state.runtime = runtime
    app.state.verifier = Verifier(runtime.settings)
    for one in routers:
        app.include_router(one)
    app.include_router(health_router())
    problems.install(app)
    describe(app)
    app.add_middleware(BodyLimit, streamed=frozenset(streamed))
    app.add_middleware(Observe)
    return app
