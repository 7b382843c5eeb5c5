"""Spans: of requests, batches, sends and jobs; a batch of several traces loses none of them."""

import asyncio
import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sqlalchemy.ext.asyncio import AsyncSession

from proforma import jobs, outbox
from proforma.context import Context
from proforma.envelope import Message, Record
from proforma.errors import BrokenRule
from proforma.handlers import Handler, Handlers
from proforma.intake import Intake
from proforma.jobs import Job, JobRunner, Step
from proforma.kafka.producer import Producer
from proforma.otel import OtelTracing, tracing_to
from proforma.runtime import Runtime
from proforma.telemetry import current_trace
from proforma.tracing import OFF, Tracing
from proforma.worker import Work, Worker
from tests.conftest import MakeApi, MakeRuntime, MakeTopics
from tests.support.events import record_of
from tests.support.kafka import Broker
from tests.support.probe import SERVICE, Other, Told
from tests.support.rows import rows, value
from tests.support.spans import Collector
from tests.support.waits import eventually, running

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"
SAMPLED_OUT = f"00-{'a' * 32}-{'b' * 16}-00"


@pytest.fixture
def collector() -> Collector:
    return Collector()


def trace_of(number: int) -> str:
    return f"00-{number:032x}-{number:016x}-01"


def told(number: int, key: str, traceparent: str | None, offset: int) -> Record:
    """A message of a trace of its own."""
    record = record_of(Told(name=key, value=str(number)), UUID(int=number), offset=offset)
    if traceparent is None:
        return record
    ids = [("x-request-id", f"r-{number}".encode()), ("traceparent", traceparent.encode())]
    return replace(record, headers=[*record.headers, *ids])


async def passes_on(session: AsyncSession, context: Context, messages: Sequence[Message[Told]]) -> None:
    """As set-based handlers do: what comes out is about keys, and nothing says of which message it came."""
    keys = sorted({one.body.name for one in messages})
    await outbox.emit(session, context, [Other(name=key, value="on") for key in [*keys, "new"]])


PASSING = Handlers(Handler(Told, passes_on))

# Three traces in one batch; the key `b` comes twice and goes on with the first that named it.
BATCH = [
    told(1, "a", trace_of(1), 0), told(2, "b", trace_of(2), 1), told(3, "b", trace_of(3), 2),
    told(4, "c", trace_of(1), 3), told(5, "d", None, 4),
]  # fmt: skip


async def handled(runtime: Runtime, batch: Sequence[Record], handlers: Handlers = PASSING) -> dict[str, dict[str, str]]:
    """The trace of what was emitted, by key."""
    intake = Intake(runtime.database, runtime.context(), handlers, runtime.group, runtime.tracing)
    await intake.handle(("probe.things", 0), 0, batch)
    return {row["key"]: json.loads(row["trace"]) for row in await rows(runtime, "select key, trace from outbox")}


async def test_without_spans_a_message_still_goes_on_in_its_own_trace(make_runtime: MakeRuntime) -> None:
    emitted = await handled(await make_runtime("probe"), BATCH)
    assert {key: trace["traceparent"] for key, trace in emitted.items()} == {
        "a": trace_of(1), "b": trace_of(2), "c": trace_of(1), "d": trace_of(1), "new": trace_of(1),
    }  # fmt: skip
    assert {key: trace["x-request-id"] for key, trace in emitted.items()} == {
        "a": "r-1", "b": "r-2", "c": "r-1", "d": "r-1", "new": "r-1",
    }  # fmt: skip


async def test_a_batchs_span_is_linked_to_every_other_trace_in_it(
    make_runtime: MakeRuntime, collector: Collector
) -> None:
    runtime = await make_runtime("probe", tracing=collector.tracing)
    emitted = await handled(runtime, BATCH)
    spans = {span.trace: span for span in collector.spans()}
    work, second, third = (spans[f"{number:032x}"] for number in (1, 2, 3))
    assert len(collector.spans()) == 3
    assert [span.parent for span in (work, second, third)] == [f"{number:016x}" for number in (1, 2, 3)]
    assert work.links == (f"{2:016x}", f"{3:016x}")
    assert (second.links, third.links) == ((work.id,), (work.id,))
    assert work.attributes["messaging.batch.message_count"] == 5
    assert work.attributes["messaging.destination.name"] == "probe.things"
    assert "messaging.batch.message_count" not in second.attributes
    assert second.attributes["messaging.message.id"] == str(UUID(int=2))
    # What comes of a message is a child of the span that its own trace has here.
    parents = {key: trace["traceparent"].split("-")[2] for key, trace in emitted.items()}
    assert parents == {"a": work.id, "b": second.id, "c": work.id, "d": work.id, "new": work.id}
    assert current_trace() == {}


async def test_a_message_alone_in_its_batch_has_one_span_and_a_refused_one_fails(
    make_runtime: MakeRuntime, collector: Collector
) -> None:
    async def refuses(_: AsyncSession, __: Context, ___: Sequence[Message[Told]]) -> None:
        raise BrokenRule("what customers pay")

    runtime = await make_runtime("probe", tracing=collector.tracing)
    await handled(runtime, BATCH[:1], Handlers(Handler(Told, refuses)))
    batch, alone = collector.spans()
    for span in (batch, alone):
        assert (span.failed, span.attributes["error.type"], span.parent) == (True, "BrokenRule", f"{1:016x}")
    assert "what customers pay" not in repr(collector.spans())


@pytest.mark.parametrize("wrong", [None, "", "x", PARENT.replace("00-", "01-"), f"00-{'0' * 32}-{'b' * 16}-01"])
async def test_a_request_without_a_usable_parent_begins_a_trace(
    api: MakeApi, collector: Collector, wrong: str | None
) -> None:
    client = await api("probe", tracing=collector.tracing)
    headers = {} if wrong is None else {"traceparent": wrong}
    answer = await client.as_("biller").post("/v1/effects", json={"value": "x"}, headers=headers)
    (span,) = collector.spans()
    assert (span.service, span.name, span.parent, span.failed) == ("probe", "POST /v1/effects", None, False)
    assert answer.headers["traceparent"].startswith(f"00-{span.trace}-{span.id}-")
    assert span.attributes["http.response.status_code"] == 201


async def test_a_request_goes_on_in_its_callers_trace_and_probes_are_not_traced(
    api: MakeApi, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await api("probe", tracing=collector.tracing)
    caller = client.as_("biller")
    await caller.get(f"/v1/effects/{UUID(int=1)}", headers={"traceparent": PARENT})
    for path in ("/health/live", "/health/ready", "/metrics"):
        await caller.get(path, headers={"traceparent": PARENT})
    (missing,) = collector.spans()
    assert (missing.name, missing.trace, missing.parent) == ("GET /v1/effects/{effect_id}", "a" * 32, "b" * 16)
    assert (missing.failed, missing.attributes["http.response.status_code"]) == (False, 404)
    # What the caller has decided not to sample is not kept, and goes on as not sampled.
    await caller.post("/v1/effects", json={"value": "x"}, headers={"traceparent": SAMPLED_OUT})
    assert len(collector.spans()) == 1
    kept = json.loads(str(await value(client.runtime, "select trace from outbox")))["traceparent"]
    assert (kept[3:35], kept[-2:]) == ("a" * 32, "00")

    async def breaks(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(outbox, "emit", breaks)
    await caller.post("/v1/effects", json={"value": "x"})
    assert [(span.failed, span.attributes["http.response.status_code"]) for span in collector.spans()[1:]] == [
        (True, 500)
    ]


async def test_a_sent_message_carries_the_span_that_sent_it(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    runtime = await make_runtime("probe", tracing=collector.tracing)
    await make_topics("probe.things", partitions=1)
    send_all = Producer.send_all
    tries: list[int] = []

    async def fails_once(producer: Producer, messages: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError("gone")
        await send_all(producer, messages)

    monkeypatch.setattr(Producer, "send_all", fails_once)
    async with runtime.database.transaction() as session:
        await outbox.emit(session, runtime.context(), [Told(name="k", value="1")])
    async with running(Worker(runtime, Work())):
        await eventually(lambda: value(runtime, "select count(*) = 0 from outbox where not published"))
    failed, sent = collector.named("send probe.things")
    assert (failed.failed, failed.attributes["error.type"], sent.failed) == (True, "ConnectionError", False)
    (record,) = await broker.read("probe.things")
    assert (record.header("traceparent") or "").startswith(f"00-{sent.trace}-{sent.id}-")
    assert sent.attributes["messaging.message.id"] == record.header("ce_id")


class Emitting:
    """A job that tells somebody."""

    name = "emitting"

    async def plan(self, _: AsyncSession, __: Context, ___: Job) -> int | None:
        return 1

    async def step(self, session: AsyncSession, context: Context, _: Job) -> Step:
        await outbox.emit(session, context, [Told(name="k", value="1")])
        return Step(done=1, finished=True)


async def test_a_job_goes_on_in_the_trace_of_who_asked_for_it(make_runtime: MakeRuntime, collector: Collector) -> None:
    from proforma.telemetry import traced

    runtime = await make_runtime("probe", tracing=collector.tracing)
    with traced("r-1", PARENT):
        async with runtime.database.transaction() as session:
            await jobs.start(session, runtime.context("ada"), "emitting", {})
    runner = JobRunner(runtime.database, runtime.context(), [Emitting()], runtime.tracing)
    assert await runner.run_next(asyncio.Event())
    (span,) = collector.spans()
    assert (span.name, span.trace, span.parent) == ("job emitting", "a" * 32, "b" * 16)
    emitted = json.loads(str(await value(runtime, "select trace from outbox")))
    assert emitted == {"x-request-id": "r-1", "traceparent": f"00-{span.trace}-{span.id}-01"}


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes what is exported."""

    taken: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        self.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def sink() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A collector's address, and what it has been sent."""
    taken: list[tuple[str, bytes]] = []
    server = http.server.HTTPServer(("127.0.0.1", 0), type("Own", (Sink,), {"taken": taken}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", taken
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("path", "asked"), [("", "/v1/traces"), ("/", "/v1/traces"), ("/own/path", "/own/path")])
def test_what_is_left_is_sent_at_the_end(sink: tuple[str, list[tuple[str, bytes]]], path: str, asked: str) -> None:
    address, taken = sink
    tracing = tracing_to(address + path, "probe", "api")
    tracing.start("internal", "some", PARENT).end()
    tracing.close()
    ((where, body),) = taken
    assert where == asked
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    names = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert (names["service.namespace"], names["service.name"]) == ("proforma", "probe")
    assert names["service.instance.id"].startswith("api-")
    assert resource.scope_spans[0].spans[0].trace_id.hex() == "a" * 32


def test_a_collector_that_is_away_holds_nobody_up() -> None:
    tracing = tracing_to("http://127.0.0.1:1", "probe", "api")
    tracing.start("internal", "some", None).end()
    began = time.monotonic()
    tracing.close()
    assert time.monotonic() - began < 8


def test_where_nothing_is_asked_for_nothing_is_loaded() -> None:
    """The SDK takes 15 MB and half a second of every start."""
    code = "import sys, billing_backlog.__main__; print([one for one in sys.modules if 'opentelemetry.sdk' in one])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def tracing_of(runtime: Runtime, endpoint: str) -> Tracing:
    return SERVICE.tracing(runtime.settings.model_copy(update={"otlp_endpoint": endpoint}), "api")


async def test_the_settings_decide(
    make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime = await make_runtime("probe")
    assert tracing_of(runtime, "") is OFF
    found = tracing_of(runtime, "http://127.0.0.1:1")
    assert isinstance(found, OtelTracing)
    found.close()
    monkeypatch.setitem(sys.modules, "proforma.otel", None)
    with pytest.raises(SystemExit) as ended:
        tracing_of(runtime, "http://127.0.0.1:1")
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("probe: PROFORMA_OTLP_ENDPOINT is set, and OpenTelemetry is not installed")
