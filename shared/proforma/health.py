"""Health and metrics: live means that the process runs, ready names each dependency with its state."""

import asyncio
from collections.abc import Awaitable

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from proforma import known
from proforma.kafka import cluster
from proforma.revisions import revision_problem
from proforma.runtime import Runtime
from proforma.telemetry import POOL_IN_USE, POOL_MAX

_HISTORY_S = 2


class Health(BaseModel):
    """`dependencies`: name → `ok` or what is wrong."""

    status: str
    dependencies: dict[str, str] = {}


async def _state(check: Awaitable[object]) -> str:
    try:
        found = await check
    except Exception as error:
        return f"{type(error).__name__}: {error}".rstrip(": ")
    return str(found) if found else "ok"


async def readiness(runtime: Runtime) -> Health:
    """The state of the database (reachable, at a revision that fits, complete) and of Kafka (reached, lets us in)."""
    revision, broker = await asyncio.gather(
        _state(revision_problem(runtime.database, runtime.migrations)),
        _state(cluster.check(runtime.settings.kafka_access)),
    )
    dependencies = {"database": revision, "kafka": broker}
    fine = revision == "ok"
    if fine and (history := await _state(_history(runtime))) != "ok":
        dependencies["history"], fine = history, False
    # An api without Kafka still takes work: the outbox keeps it. Without its database it can do nothing.
    return Health(status="ready" if fine else "not ready", dependencies=dependencies)


async def _history(runtime: Runtime) -> str | None:
    async with asyncio.timeout(_HISTORY_S), runtime.database.transaction() as session:
        return await known.why_not(session)


def metrics_response(runtime: Runtime) -> Response:
    """Prometheus' text format; the pool is measured now."""
    in_use, most = runtime.database.pool()
    POOL_IN_USE.set(in_use)
    POOL_MAX.set(most)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def health_router() -> APIRouter:
    """`/health/live`, `/health/ready` and `/metrics`: no token, they carry no business data."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health/live")
    async def live() -> Health:
        """The process answers; nothing else is asked."""
        return Health(status="live")

    @routes.get("/health/ready", responses={503: {"model": Health}})
    async def ready(request: Request, response: Response) -> Health:
        """Whether it can do its work, with the state of each dependency; 503 when it cannot."""
        health = await readiness(request.app.state.runtime)
        response.status_code = 200 if health.status == "ready" else 503
        return health

    @routes.get("/metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        """All metrics, in Prometheus' text format."""
        return metrics_response(request.app.state.runtime)

    return routes
