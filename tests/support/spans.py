"""Spans kept in memory, from any number of services, as one collector would have them."""

from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from proforma.otel import OtelTracing


@dataclass(frozen=True)
class Seen:
    """One span, ids as hexadecimal text; `links` are the ids of the spans that it names."""

    service: str
    name: str
    trace: str
    id: str
    parent: str | None
    links: tuple[str, ...]
    attributes: dict[str, object]
    failed: bool


class Collector:
    """`make_runtime(name, tracing=collector.tracing)` sends a service's spans here."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()

    def tracing(self, service: str) -> OtelTracing:
        return OtelTracing(SimpleSpanProcessor(self._exporter), service, "test")

    def clear(self) -> None:
        self._exporter.clear()

    def spans(self) -> list[Seen]:
        """What has ended, in that order."""
        return [_seen(span) for span in self._exporter.get_finished_spans()]

    def named(self, name: str) -> list[Seen]:
        return [span for span in self.spans() if span.name == name]


def lineage(spans: list[Seen], one: Seen) -> Iterator[Seen]:
    """The span, its parent, and so on up to what nobody here has seen."""
    by_id = {span.id: span for span in spans}
    here: Seen | None = one
    while here is not None:
        yield here
        here = by_id.get(here.parent or "")


def _seen(span: ReadableSpan) -> Seen:
    context = span.get_span_context()
    assert context is not None
    return Seen(
        service=str(span.resource.attributes["service.name"]),
        name=span.name,
        trace=f"{context.trace_id:032x}",
        id=f"{context.span_id:016x}",
        parent=None if span.parent is None else f"{span.parent.span_id:016x}",
        links=tuple(f"{link.context.span_id:016x}" for link in span.links),
        attributes=dict(span.attributes or {}),
        failed=not span.status.is_ok,
    )
