"""Fixtures of all tests: a real PostgreSQL and a real Kafka, started once a run and shared by its processes."""

import os
import secrets
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog

from local.backend import Backend, start_backend
from local.postgres import blocking
from proforma.clock import SetClock
from proforma.kafka.topics import create_topics
from proforma.kafka_access import KafkaAccess
from proforma.runtime import Runtime
from proforma.settings import ServiceSettings
from proforma.topics import Topic
from tests.support.api import Api, app_of, serving
from tests.support.databases import Databases, service_named, sweep
from tests.support.kafka import Broker
from tests.support.tokens import AUDIENCE, ISSUER, Tokens

MakeRuntime = Callable[..., Awaitable[Runtime]]
MakeApi = Callable[..., Awaitable[Api]]
MakeTopics = Callable[..., Awaitable[str]]

_BACKEND = pytest.StashKey[Backend]()
_RUN = "PROFORMA_TEST_RUN"
SEED = "PROFORMA_TEST_SEED"
"""The run's seed: every property test draws from it."""
_ADDRESSES = {"postgres": "PROFORMA_TEST_POSTGRES", "kafka": "PROFORMA_TEST_KAFKA"}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Starts the servers in the run's first process; xdist's workers find them in their environment."""
    if hasattr(config, "workerinput") or config.option.collectonly or config.option.help:
        return
    # Hypothesis takes its seed from its option, which xdist hands to its workers: one run, one seed, and it is printed.
    config.option.hypothesis_seed = config.option.hypothesis_seed or str(secrets.randbelow(2**32))
    os.environ[SEED] = config.option.hypothesis_seed
    backend = start_backend()
    config.stash[_BACKEND] = backend
    os.environ[_RUN] = f"t{uuid.uuid4().hex[:8]}"
    os.environ[_ADDRESSES["postgres"]] = backend.postgres
    os.environ[_ADDRESSES["kafka"]] = backend.kafka


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Which servers the tests run on, and how to draw the same examples again."""
    backend = config.stash.get(_BACKEND, None)
    if backend is None:
        return []
    return [f"backend: {backend.description}", f"seed: --hypothesis-seed={os.environ[SEED]}"]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Drops the run's databases (the server may be somebody's own) and ends what was started."""
    backend = config.stash.get(_BACKEND, None)
    if backend is not None:
        try:
            blocking(sweep(backend.postgres, os.environ[_RUN]))
        finally:
            backend.stop()


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Log lines as a person reads them beside a failed test; the default renders every variable of a traceback."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, renderer]
    )


@pytest.fixture(scope="session")
def backend() -> Backend:
    """The servers' addresses."""
    return Backend(os.environ[_ADDRESSES["postgres"]], os.environ[_ADDRESSES["kafka"]], "")


@pytest.fixture(scope="session")
async def databases(backend: Backend) -> AsyncIterator[Databases]:
    """Makes databases for tests."""
    connection = await asyncpg.connect(backend.postgres)
    try:
        lending = Databases(backend.postgres, os.environ[_RUN], connection)
        yield lending
        await lending.end()
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    """Signs tokens that the services under test accept."""
    return Tokens(tmp_path_factory.mktemp("tokens"))


@pytest.fixture
def clock() -> SetClock:
    """The time of every runtime of this test: 2026-03-02T09:00Z, a Monday, until the test moves it."""
    return SetClock(datetime(2026, 3, 2, 9, tzinfo=UTC))


@pytest.fixture
def topic_prefix() -> str:
    """Keeps this test's topics and consumer groups apart from all others."""
    return f"t{uuid.uuid4().hex[:8]}."


@pytest.fixture
def make_settings(backend: Backend, tokens: Tokens, topic_prefix: str) -> Callable[..., ServiceSettings]:
    """Settings of a service with the database at `url`; other settings by name, limits as a dict."""

    def make(url: str, **settings: Any) -> ServiceSettings:
        given: dict[str, Any] = {
            "database_url": url,
            "kafka": backend.kafka,
            "topic_prefix": topic_prefix,
            "auth_public_key_file": Path(tokens.public_key_file),
            "auth_issuer": ISSUER,
            "auth_audience": AUDIENCE,
            "pool_size": 4,
            **settings,
        }
        return ServiceSettings(**given)

    return make


@pytest.fixture
async def make_runtime(
    databases: Databases, clock: SetClock, make_settings: Callable[..., ServiceSettings]
) -> AsyncIterator[MakeRuntime]:
    """`await make_runtime("invoicing", lock_timeout_s=1, limits={...}, clock=..., ids=...)`: an empty database each."""
    async with AsyncExitStack() as ending:

        async def make(name: str, **given: Any) -> Runtime:
            service = service_named(name)
            database = await databases.lend(service)
            ending.push_async_callback(databases.give_back, service, database)
            seams: dict[str, Any] = {
                "clock": clock,
                **{seam: given.pop(seam) for seam in ("clock", "ids") if seam in given},
            }
            if "tracing" in given:  # one for each service, because each names itself in its spans
                seams["tracing"] = given.pop("tracing")(name)
            settings = make_settings(database.url, **given)
            seams["database"] = databases.kept(service, database, settings)
            return service.runtime(settings, "test", **seams)

        yield make


@pytest.fixture
async def api(make_runtime: MakeRuntime, tokens: Tokens) -> AsyncIterator[MakeApi]:
    """`client = await api("invoicing")` (empty database) or `await api(runtime)`; `client.as_("biller").get(...)`."""
    async with AsyncExitStack() as ending:

        async def make(of: str | Runtime, **given: Any) -> Api:
            runtime = await make_runtime(of, **given) if isinstance(of, str) else of
            app = ending.enter_context(app_of(runtime))
            return await ending.enter_async_context(serving(app, runtime, tokens))

        yield make


@pytest.fixture
def make_topics(backend: Backend, topic_prefix: str) -> MakeTopics:
    """`await make_topics("time-expense.entries", partitions=2)`: makes this test's topics; returns their prefix."""

    async def make(*names: str, partitions: int = 2) -> str:
        topics: Sequence[Topic] = [Topic(name, partitions) for name in names]
        await create_topics(KafkaAccess(backend.kafka, topic_prefix), topics)
        return topic_prefix

    return make


@pytest.fixture
def broker(backend: Backend, topic_prefix: str) -> Broker:
    """This test's topics, as somebody else writes and reads them."""
    return Broker(backend.kafka, topic_prefix)
