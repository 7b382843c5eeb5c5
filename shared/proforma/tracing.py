"""Spans, where somebody wants them; a null object otherwise, so that nothing is paid for what nobody looks at.

What holds a trace together does not need them: the W3C context of a request travels in outbox rows and Kafka headers
either way, and log lines carry its id. With spans, each hop's context is that of its own span.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Literal, Protocol

from proforma.envelope import Record
from proforma.telemetry import Trace, is_request_id, keyed, trace_id, traced

Kind = Literal["server", "consumer", "producer", "internal"]
Attributes = Mapping[str, str | int]


class Span(Protocol):
    """One piece of work. `traceparent` is what its consequences name as their parent."""

    @property
    def traceparent(self) -> str | None: ...

    def rename(self, name: str, attributes: Attributes) -> None:
        """What was not known when it began."""

    def fail(self, what: str) -> None:
        """`what` is the kind of error, never its text, which may hold what customers pay."""

    def end(self) -> None:
        """It took until now."""


class Tracing(Protocol):
    """Where spans go. `on` False: do not even put attributes together."""

    on: bool

    def start(
        self, kind: Kind, name: str, parent: str | None, attributes: Attributes | None = None,
        links: Sequence[str] = (),
    ) -> Span:  # fmt: skip
        """Begins a span below `parent`, a traceparent; a new trace without one. `links` are traceparents too."""

    def close(self) -> None:
        """Hands over what is left, within seconds."""


class _Unrecorded:
    """A span that nobody keeps: its consequences have its parent as theirs."""

    __slots__ = ("traceparent",)

    def __init__(self, traceparent: str | None) -> None:
        self.traceparent = traceparent

    def rename(self, name: str, attributes: Attributes) -> None:
        pass

    def fail(self, what: str) -> None:
        pass

    def end(self) -> None:
        pass


class _Off:
    on = False

    def start(
        self, kind: Kind, name: str, parent: str | None, attributes: Attributes | None = None,
        links: Sequence[str] = (),
    ) -> Span:  # fmt: skip
        return _Unrecorded(parent)

    def close(self) -> None:
        pass


OFF: Tracing = _Off()


@contextmanager
def spanned(
    tracing: Tracing, kind: Kind, name: str, parent: str | None, attributes: Attributes | None = None,
    links: Sequence[str] = (),
) -> Iterator[Span]:  # fmt: skip
    """A span as long as the block, failed when the block raises."""
    span = tracing.start(kind, name, parent, attributes, links)
    try:
        yield span
    except BaseException as error:
        span.fail(type(error).__qualname__)
        raise
    finally:
        span.end()


@contextmanager
def batch_spanned(tracing: Tracing, group: str, batch: Sequence[Record]) -> Iterator[None]:
    """The work on a batch of one type, as one span of the first message's trace, linked to all others.

    A set-based handler cannot say which of its rows came of which message. So each other trace in the batch gets a
    span of its own, linked to the work; and what the handler emits under the key of a message goes on in that
    message's trace (contracts keep their own, whoever shares their batch), everything else in the first one's.
    """
    first, others = batch[0], _others(batch)
    links = [trace["traceparent"] for trace, _ in others]
    attributes = _attributes(group, batch) if tracing.on else None
    with (
        spanned(tracing, "consumer", f"process {first.topic}", first.header("traceparent"), attributes, links) as span,
        traced(
            first.header("x-request-id"), span.traceparent,
            event_id=str(first.event_id()), event_type=first.type, messages=len(batch),
        ) as (request_id, traceparent),
        ExitStack() as ending,
    ):  # fmt: skip
        own = {"x-request-id": request_id, "traceparent": traceparent}
        by_trace: dict[str, Trace] = {trace_id(first.header("traceparent")): own}
        for trace, record in others:
            part = ending.enter_context(
                spanned(tracing, "consumer", f"process {record.topic}", trace["traceparent"],
                        _attributes(group, [record]) if tracing.on else None, [traceparent])
            )  # fmt: skip
            by_trace[trace_id(trace["traceparent"])] = {**trace, "traceparent": part.traceparent or ""}
        with keyed(_by_key(batch, by_trace)):
            yield


def _others(batch: Sequence[Record]) -> list[tuple[Trace, Record]]:
    """The first message of each trace that is not the first one's."""
    seen = {trace_id(batch[0].header("traceparent"))}
    found: list[tuple[Trace, Record]] = []
    for record in batch[1:]:
        traceparent = record.header("traceparent") or ""
        if trace_id(traceparent) and trace_id(traceparent) not in seen:
            seen.add(trace_id(traceparent))
            request_id = record.header("x-request-id")
            named = {"x-request-id": request_id} if is_request_id(request_id) else {}
            found.append(({**named, "traceparent": traceparent}, record))
    return found


def _by_key(batch: Sequence[Record], by_trace: Mapping[str, Trace]) -> dict[str, Trace]:
    """The trace of each Kafka key's first message."""
    found: dict[str, Trace] = {}
    for record in batch:
        trace = by_trace.get(trace_id(record.header("traceparent")))
        if trace is not None:
            found.setdefault((record.key or b"").decode(errors="replace"), trace)
    return found


def _attributes(group: str, batch: Sequence[Record]) -> Attributes:
    # OpenTelemetry's names, https://opentelemetry.io/docs/specs/semconv/messaging/
    first = batch[0]
    found: dict[str, str | int] = {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": first.topic,
        "messaging.destination.partition.id": str(first.partition),
        "messaging.consumer.group.name": group,
        "messaging.kafka.offset": first.offset,
        "proforma.event_type": first.type or "",
    }
    if len(batch) > 1:
        return {**found, "messaging.batch.message_count": len(batch)}
    return {**found, "messaging.message.id": first.header("ce_id") or ""}
