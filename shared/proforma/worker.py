"""A worker process: relay, consumer, jobs and a service's own loops in one TaskGroup, stopped by an event."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proforma import dead_letters, idempotency, inbox, job_lists, outbox, waiting
from proforma.consumer import BatchConsumer
from proforma.ending import end_in_time
from proforma.failures import is_deterministic
from proforma.handlers import Handlers
from proforma.health import metrics_response, readiness
from proforma.history import History
from proforma.intake import Intake
from proforma.jobs import JobKind, JobRunner
from proforma.kafka.consumer import ConsumerFactory
from proforma.kafka.producer import ProducerFactory
from proforma.kafka_watch import KafkaWatch
from proforma.relay import Relay
from proforma.runtime import Runtime
from proforma.sums import Sums, SumsTaker
from proforma.telemetry import logger

Loop = Callable[[Runtime, asyncio.Event], Awaitable[None]]
"""A loop of the service's own; returns when the event is set."""

_KEEP_HOUSE_S = 15.0
_PURGE_EVERY = 20

log = logger()


@dataclass(frozen=True, slots=True)
class Work:
    """What a service's worker does; `asks`: how a waiting thing of the service's own, by kind, is asked again.

    `own` are handlers of the service's own events, for the day after a restore: what it must still know of what it
    has said, such as numbers that it has given. `sums` are gauges over tables too big to be read every few seconds by
    every worker.
    """

    handlers: Handlers = field(default_factory=Handlers)
    own: Handlers = field(default_factory=Handlers)
    jobs: Sequence[JobKind] = ()
    loops: Sequence[Loop] = ()
    asks: Mapping[str, waiting.Ask] = field(default_factory=dict)
    sums: Sequence[Sums] = ()


class Worker:
    """One worker process of a service. Any number may run; locks and leases decide who does what."""

    def __init__(self, runtime: Runtime, work: Work) -> None:
        settings, context = runtime.settings, runtime.context()
        self._runtime = runtime
        self._work = work
        self.history = History(runtime)
        self.relay = Relay(
            runtime.database, ProducerFactory(settings.kafka_access), f"/{runtime.service}", runtime.clock,
            settings.limits, runtime.tracing,
        )  # fmt: skip
        self.watch = KafkaWatch(settings.kafka_access)
        self.consumer = _consumer(runtime, work.handlers) if work.handlers.topics else None
        self.jobs = JobRunner(runtime.database, context, work.jobs, runtime.tracing)
        self._sums = SumsTaker(runtime.database, work.sums)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. A task that dies takes the others with it: a half-dead worker would look alive.

        Nothing begins before the database is known to be the one that said what its topics hold.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.watch.run(stop))
            tasks.create_task(self.history.run(stop))
            tasks.create_task(self._keep_house(stop))
            await self.history.until_known(stop)
            tasks.create_task(self.relay.run(stop))
            if self.consumer is not None:
                tasks.create_task(self.consumer.run(stop))
            tasks.create_task(self.jobs.run(stop))
            for loop in self._work.loops:
                tasks.create_task(_await(loop(self._runtime, stop)))

    async def _keep_house(self, stop: asyncio.Event) -> None:
        """Measures what waits, and purges what is older than promised, a little at a time."""
        kinds: set[str] = set()
        turn = 0
        while not stop.is_set():
            try:
                kinds = await self._measure(kinds)
                if turn % _PURGE_EVERY == 0:
                    await self._purge(stop)
            except Exception as error:
                if is_deterministic(error):
                    raise
                log.warning("worker.keep_house", problem=str(error))
            turn += 1
            try:
                async with asyncio.timeout(_KEEP_HOUSE_S):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _measure(self, kinds: set[str]) -> set[str]:
        context = self._runtime.context()
        if self.consumer is not None:
            # First, because it needs no database: one that is away is when the lag grows.
            await self.consumer.measure_lag()
        async with self._runtime.database.transaction() as session:
            kinds = await waiting.measure(session, context, kinds)
            await outbox.measure(session, context)
            await dead_letters.measure(session)
            await job_lists.measure(session)
        # The relay's lock makes one worker of them all the one that sends: it adds up as well.
        await self._sums.take(leading=self.relay.active)
        return kinds

    async def _purge(self, stop: asyncio.Event) -> None:
        now, limits = self._runtime.clock.now(), self._runtime.settings.limits
        for purge, days in (
            (outbox.purge, limits.outbox_keep_days),
            (inbox.purge, limits.inbox_keep_days),
            (idempotency.purge, limits.idempotency_keep_days),
        ):
            left = True
            while left and not stop.is_set():
                async with self._runtime.database.transaction() as session:
                    left = await purge(session, now, days) > 0

    def problems(self) -> dict[str, str]:
        """What keeps this worker from its work, by part; empty when all goes on."""
        parts = {
            "history": self.history.problem,
            "consumer": self.consumer.problem if self.consumer else None,
            "positions": self.consumer.stopped if self.consumer else None,
            "relay": self.relay.problem,
            "jobs": self.jobs.problem,
        }
        return {name: problem for name, problem in parts.items() if problem}


async def _await(work: Awaitable[None]) -> None:
    await work


def _consumer(runtime: Runtime, handlers: Handlers) -> BatchConsumer:
    settings = runtime.settings
    return BatchConsumer(
        Intake(runtime.database, runtime.context(), handlers, runtime.group, runtime.tracing),
        ConsumerFactory(settings.kafka_access, runtime.group, handlers.topics),
        settings.limits.consume_messages_max,
    )


def _health_app(runtime: Runtime, worker: Worker) -> Starlette:
    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live", "dependencies": {}})

    async def ready(_: Request) -> Response:
        health = await readiness(runtime)
        dependencies = {**health.dependencies, **worker.problems()}
        fine = all(state == "ok" for state in dependencies.values())
        body: dict[str, Any] = {"status": "ready" if fine else "not ready", "dependencies": dependencies}
        return JSONResponse(body, 200 if fine else 503)

    async def metrics(_: Request) -> Response:
        return metrics_response(runtime)

    return Starlette(routes=[Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", metrics)])


async def run_worker(runtime: Runtime, work: Work) -> None:
    """The process: health on its own port; SIGTERM and SIGINT finish what is in hand and end it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    worker = Worker(runtime, work)
    config = uvicorn.Config(
        _health_app(runtime, worker), host=runtime.settings.host, port=runtime.settings.worker_port,
        log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)

    async def stop_server() -> None:
        await stop.wait()
        server.should_exit = True

    try:
        async with asyncio.TaskGroup() as tasks:
            # serve() would take the signals for itself.
            serving = tasks.create_task(server._serve())
            for one in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(one, stop.set)
            tasks.create_task(stop_server())
            try:
                await end_in_time(worker.run(stop), stop)
            finally:
                stop.set()
                await serving
    finally:
        await runtime.database.close()
        runtime.tracing.close()
