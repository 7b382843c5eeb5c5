"""Logs carry the ids of what they are about, and the ids cross from service to service."""

import json
import logging
import signal
from collections.abc import Sequence

import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from proforma import outbox
from proforma.context import Context
from proforma.envelope import Message
from proforma.handlers import Handler, Handlers
from proforma.telemetry import configure_logging, current_trace, processors, traced
from proforma.worker import Work, Worker
from tests.conftest import MakeApi, MakeRuntime, MakeTopics
from tests.support.api import serving
from tests.support.kafka import Broker
from tests.support.probe import SERVICE, Other, Told, write_effects
from tests.support.processes import environment, process
from tests.support.rows import rows, value
from tests.support.tokens import Tokens
from tests.support.waits import eventually, running

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


async def test_a_callers_ids_are_taken_over_and_returned(api: MakeApi) -> None:
    client = await api("probe")
    headers = {"X-Request-Id": "r-1", "traceparent": PARENT}
    answer = await client.as_("biller").post("/v1/effects", json={"value": "x"}, headers=headers)
    assert answer.headers["x-request-id"] == "r-1"
    assert answer.headers["traceparent"] == PARENT
    (row,) = await rows(client.runtime, "select trace from outbox")
    assert json.loads(row["trace"]) == {"x-request-id": "r-1", "traceparent": PARENT}


@pytest.mark.parametrize("wrong", ["", "a b", "x" * 129, "a\tb"])
async def test_ids_that_are_none_are_made_anew(api: MakeApi, wrong: str) -> None:
    client = await api("probe")
    answer = await client.as_("biller").get("/v1/nothing", headers={"X-Request-Id": wrong, "traceparent": wrong})
    assert answer.headers["x-request-id"] not in {wrong, ""}
    version, trace, span, flags = answer.headers["traceparent"].split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert answer.json()["instance"] == answer.headers["x-request-id"]


def test_nothing_is_left_behind_a_request() -> None:
    before = structlog.contextvars.get_contextvars()
    with traced("r-1", PARENT, event_id="e-1"):
        assert current_trace() == {"x-request-id": "r-1", "traceparent": PARENT}
        inside = structlog.contextvars.get_contextvars()
        assert (inside["request_id"], inside["trace_id"], inside["event_id"]) == ("r-1", "a" * 32, "e-1")
    assert current_trace() == {}
    assert structlog.contextvars.get_contextvars() == before


async def test_the_ids_cross_the_outbox_into_the_consumer_and_on(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker, tokens: Tokens
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things")
    seen: list[dict[str, str]] = []

    async def passes_on(session: AsyncSession, context: Context, messages: Sequence[Message[Told]]) -> None:
        seen.append({**current_trace(), "event_id": structlog.contextvars.get_contextvars()["event_id"]})
        await outbox.emit(session, context, [Other(name=one.body.name, value="on") for one in messages])

    handlers = Handlers(Handler(Told, passes_on), Handler(Other, write_effects))
    async with serving(SERVICE.app(runtime), runtime, tokens) as client, running(Worker(runtime, Work(handlers))):
        headers = {"X-Request-Id": "r-1", "traceparent": PARENT}
        await client.as_("biller").post("/v1/effects", json={"value": "x"}, headers=headers)
        await eventually(lambda: value(runtime, "select count(*) = 2 from effects"))
    first, second = await broker.read("probe.things")
    for record in (first, second):
        assert (record.header("x-request-id"), record.header("traceparent")) == ("r-1", PARENT)
    assert seen == [{"x-request-id": "r-1", "traceparent": PARENT, "event_id": first.header("ce_id")}]


async def test_every_line_of_a_process_is_json_with_its_ids(
    make_runtime: MakeRuntime, make_topics: MakeTopics, broker: Broker
) -> None:
    runtime = await make_runtime("probe")
    await make_topics("probe.things", partitions=1)
    # Spans that nobody takes are complained about by OpenTelemetry's own logger, to the last moment.
    nowhere = "http://127.0.0.1:1"
    env = environment(
        runtime, PROFORMA_WORKER_PORT="0", PROFORMA_LOG_LEVEL="DEBUG", PROFORMA_OTLP_ENDPOINT=nowhere
    )  # fmt: skip
    async with process("tests.support.probe", "worker", env) as worker:
        await broker.send(Told(name="k", value="good"), Told(name="k", value="poison"))
        await eventually(lambda: value(runtime, "select count(*) = 1 from dead_letters"), limit_s=40)
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0
    lines = [json.loads(line) for line in worker.output.splitlines()]
    assert {line["service"] for line in lines} == {"probe"}
    assert any(line.get("logger", "").startswith("opentelemetry") for line in lines)
    (handled,) = [line for line in lines if line["event"] == "consumer.handled" and line["messages"] == 1]
    assert handled["event_type"] == Told.TYPE
    assert handled["event_id"] == str(await value(runtime, "select event_id from effects"))
    assert {"request_id", "trace_id", "timestamp", "level"} <= handled.keys()
    (dead,) = [line for line in lines if line["event"] == "consumer.dead_letter"]
    assert "poison is not written" in dead["reason"]
    assert dead["event_id"] == str(await value(runtime, "select event_id from dead_letters"))


def test_a_traceback_shows_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    """They hold passwords, tokens and prices."""
    password = "hunter2"
    try:
        raise ValueError("wrong")
    except ValueError as error:
        structlog.wrap_logger(structlog.PrintLogger(), processors=processors()).error("failed", exc_info=error)
    line = json.loads(capsys.readouterr().out)
    assert line["exception"][0]["exc_value"] == "wrong"
    assert password not in json.dumps(line)


def test_what_kafkas_client_says_again_and_again_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """It tries ten times a second, with a line each. Nobody else's lines are held back."""
    before = logging.getLogger().handlers[:]
    configured = structlog.get_config()
    try:
        configure_logging("probe", "INFO")
        for node in (1, 1, 2, 1):
            logging.getLogger("aiokafka.client").error("Unable connect to node with id %s", node)
            logging.getLogger("somebody").error("the same")
        said = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    finally:
        logging.getLogger().handlers[:] = before
        structlog.configure(**configured)
    assert [one for one in said if "node" in one] == [f"Unable connect to node with id {node}" for node in (1, 2)]
    assert said.count("the same") == 4
