"""Spans by OpenTelemetry's SDK, the kernel's extra `otel`: imported only where they are asked for.

The providers are the process's own, never OpenTelemetry's global one: that would switch on whatever else in the
process knows how to trace, and make every request two spans.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as SdkSpan

from proforma.telemetry import is_traceparent
from proforma.tracing import Attributes, Kind, Span

_KINDS: Mapping[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "consumer": SpanKind.CONSUMER,
    "producer": SpanKind.PRODUCER,
    "internal": SpanKind.INTERNAL,
}
_EXPORT_S = 5
_CLOSE_S = 1


def tracing_to(endpoint: str, service: str, role: str) -> "OtelTracing":
    """Spans to a collector over OTLP and HTTP; an address without a path gets OTLP's own, `/v1/traces`."""
    address = endpoint if urlsplit(endpoint).path.strip("/") else f"{endpoint.rstrip('/')}/v1/traces"
    return OtelTracing(BatchSpanProcessor(OTLPSpanExporter(address, timeout=_EXPORT_S)), service, role)


class OtelTracing:
    """Hands spans to `processor`. Sampling is the SDK's: the caller's decision, or OTEL_TRACES_SAMPLER."""

    on = True

    def __init__(self, processor: SpanProcessor, service: str, role: str) -> None:
        resource = Resource.create(
            {"service.namespace": "proforma", "service.name": service, "service.instance.id": f"{role}-{os.getpid()}"}
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("proforma")

    def start(
        self, kind: Kind, name: str, parent: str | None, attributes: Attributes | None = None,
        links: Sequence[str] = (),
    ) -> Span:  # fmt: skip
        remote = _remote(parent)
        context = set_span_in_context(NonRecordingSpan(remote), Context()) if remote else Context()
        linked = [Link(one) for one in map(_remote, links) if one]
        return _Recorded(self._tracer.start_span(name, context, _KINDS[kind], dict(attributes or {}), linked))

    def close(self) -> None:
        """Sends what is left; a collector that does not answer holds up nobody's stop for more than a second."""
        # A thread of our own: the SDK waits for half a minute, and its wait cannot be ended from outside.
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)


class _Recorded:
    def __init__(self, span: SdkSpan) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def rename(self, name: str, attributes: Attributes) -> None:
        self._span.update_name(name)
        self._span.set_attributes(dict(attributes))

    def fail(self, what: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR))
        self._span.set_attribute("error.type", what)

    def end(self) -> None:
        self._span.end()


def _remote(traceparent: str | None) -> SpanContext | None:
    """What a traceparent names; None where it is none."""
    if not is_traceparent(traceparent):
        return None
    _, trace, span, flags = traceparent.split("-")
    context = SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return context if context.is_valid else None
