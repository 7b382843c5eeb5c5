"""Structured logs with request and event ids, and the metrics that operators watch."""

import json
import logging
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO, TypeGuard

import structlog
from prometheus_client import Counter, Gauge, Histogram

HTTP_SECONDS = Histogram(
    "proforma_http_request_seconds",
    "Time to answer",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
MESSAGES = Counter("proforma_messages_total", "Consumed messages by outcome", ["topic", "type", "outcome"])
CONSUMER_AWAY = Gauge("proforma_consumer_retrying", "1 while a batch is retried because something is away", ["topic"])
CONSUMER_STOPPED = Gauge(
    "proforma_consumer_stopped",
    "1 while a partition is not read because its log is another one",
    ["topic", "partition"],
)
KAFKA_REACHED = Gauge("proforma_kafka_reached", "1 while Kafka answers this worker and lets it in")
CONSUMER_LAG = Gauge(
    "proforma_consumer_lag", "Messages between this worker's position and the end of a partition that it holds",
    ["topic", "partition"],
)  # fmt: skip
OUTBOX_SENT = Counter("proforma_outbox_sent_total", "Events handed to Kafka", ["topic"])
OUTBOX_LEADER = Gauge("proforma_outbox_leader", "1 in the process whose relay is active")
OUTBOX_PENDING = Gauge("proforma_outbox_pending", "Events that Kafka does not have yet")
OUTBOX_OLDEST = Gauge("proforma_outbox_oldest_seconds", "Age of the oldest event that Kafka does not have; 0: none")
DEAD_LETTERS = Gauge("proforma_dead_letters", "Messages that wait for a person's decision", ["topic"])
JOBS = Gauge("proforma_jobs", "Jobs that are queued or running", ["kind", "status"])
JOBS_DONE = Gauge("proforma_jobs_running_done", "Things that the running jobs have done or refused", ["kind"])
JOBS_PLANNED = Gauge("proforma_jobs_running_planned", "Things that the running jobs have in all", ["kind"])
JOBS_ENDED = Counter("proforma_jobs_ended_total", "Jobs that this worker has brought to their end", ["kind", "status"])
JOB_STEPS = Counter("proforma_job_steps_total", "Committed steps of jobs", ["kind"])
POOL_IN_USE = Gauge("proforma_database_pool_in_use", "Connections of this process's pool that work right now")
POOL_MAX = Gauge("proforma_database_pool_max", "Connections that this process's pool may have at once")
WAITING = Gauge("proforma_waiting", "Things that wait, by kind (GET /v1/waiting)", ["kind"])
WAITING_AGE = Gauge("proforma_waiting_oldest_seconds", "Age of the oldest thing that waits, by kind", ["kind"])

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
TRACEPARENT: ContextVar[str | None] = ContextVar("traceparent", default=None)

Trace = Mapping[str, str]
"""The ids of some work, as they travel in message headers."""

_BY_KEY: ContextVar[Mapping[str, Trace]] = ContextVar("traces_by_key")

_SELDOM_S = 60
_REMEMBERED = 1_000

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class _JsonLines(logging.Formatter):
    """The lines of libraries, in the shape of our own: what collects logs must not meet two formats."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "service": self._service,
            "event": record.getMessage(),
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _Seldom(logging.Filter):
    """Lets the same words of aiokafka through once a minute: it says them ten times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("aiokafka"):
            return True
        words = (record.name, record.getMessage())
        if record.created - self._said.get(words, 0) < _SELDOM_S:
            return False
        if len(self._said) >= _REMEMBERED:
            self._said.clear()
        self._said[words] = record.created
        return True


def configure_logging(service: str, level: str, stream: TextIO | None = None) -> None:
    """One JSON object a line on `stream`, which is standard output; every line carries the service and its ids."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_JsonLines(service))
    handler.addFilter(_Seldom())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("aiokafka", "uvicorn.access", "uvicorn.error", "alembic", "asyncio", "httpx"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    structlog.configure(
        processors=processors(),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stdout),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def processors() -> list[structlog.typing.Processor]:
    """What makes a JSON line of a log call."""
    # Without the variables of each frame: they hold passwords, tokens and what customers pay.
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(tracebacks),
        structlog.processors.JSONRenderer(default=str),
    ]


@contextmanager
def traced(request_id: str | None, traceparent: str | None, **ids: object) -> Iterator[tuple[str, str]]:
    """Ties log lines and emitted events of the block to one request; yields its ids.

    Takes over the caller's ids where they are well-formed and makes new ones where not. `ids` are logged beside them.
    """
    request = request_id if is_request_id(request_id) else secrets.token_hex(12)
    parent = traceparent or ""
    trace = parent if is_traceparent(parent) else f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    tokens = REQUEST_ID.set(request), TRACEPARENT.set(trace)
    try:
        with structlog.contextvars.bound_contextvars(request_id=request, trace_id=trace[3:35], **ids):
            yield request, trace
    finally:
        REQUEST_ID.reset(tokens[0])
        TRACEPARENT.reset(tokens[1])


def is_request_id(text: str | None) -> TypeGuard[str]:
    """True for what may be a request's id."""
    return text is not None and _REQUEST_ID.fullmatch(text) is not None


def is_traceparent(text: str | None) -> TypeGuard[str]:
    """True for a W3C trace context of the version that there is."""
    return text is not None and _TRACEPARENT.fullmatch(text) is not None


def trace_id(traceparent: str | None) -> str:
    """The id of the whole trace in a traceparent; empty where it is none."""
    return traceparent[3:35] if is_traceparent(traceparent) else ""


@contextmanager
def keyed(by_key: Mapping[str, Trace]) -> Iterator[None]:
    """In the block, what is emitted under one of these Kafka keys belongs to the trace given for it."""
    token = _BY_KEY.set(by_key)
    try:
        yield
    finally:
        _BY_KEY.reset(token)


def current_trace(key: str | None = None) -> Trace:
    """The ids of the work under way, or of the part of it that is about `key`."""
    found = _BY_KEY.get({}).get(key) if key is not None else None
    if found is not None:
        return {name: value for name, value in found.items() if value}
    pairs = {"x-request-id": REQUEST_ID.get(), "traceparent": TRACEPARENT.get()}
    return {name: value for name, value in pairs.items() if value}


def logger() -> structlog.typing.FilteringBoundLogger:
    """The project's logger."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return bound
