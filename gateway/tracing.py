"""Traces by OpenTelemetry, where the configuration names a collector; nothing of it is imported, and next to nothing spent, where it does not.

A span says what was done, how long it took and what came of it: a feed's name, an acknowledgement's code, an HTTP status, a count. Never a name,
an identifier, an address of a request beyond its first steps, or an exception's text.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from gateway.errors import Usage

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter


class Span(Protocol):
    """What may be said of a piece of work while it is done."""

    def set_attribute(self, key: str, value: str | int) -> None: ...


class _Nothing:
    """A span of which nobody is told."""

    def set_attribute(self, key: str, value: str | int) -> None:
        """Says nothing."""


_NOTHING: AbstractContextManager[Span] = nullcontext(_Nothing())
_tracer: Any = None  # set once for the process, as its log is
_provider: Any = None


def start(endpoint: str, sample: float, exporter: SpanExporter | None = None) -> None:
    """Send traces to a collector by OTLP over HTTP (`exporter`: elsewhere). Raises `Usage` where OpenTelemetry is not installed."""
    global _tracer, _provider
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

        if exporter is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter(endpoint=endpoint)
    except ImportError:
        advice = "Install it: pip install 'care-transition-gateway[tracing]'."
        raise Usage("[tracing] is configured, and OpenTelemetry is not installed", location="tracing.endpoint", advice=advice) from None
    _provider = TracerProvider(resource=Resource.create({"service.name": "care-transition-gateway"}), sampler=ParentBased(TraceIdRatioBased(sample)))
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("gateway")


def stop() -> None:
    """Send what waits, and trace nothing more."""
    global _tracer, _provider
    if _provider is not None:
        _provider.shutdown()
    _tracer = _provider = None


def span(name: str, **attributes: str | int) -> AbstractContextManager[Span]:
    """A piece of work, for as long as the context lasts. An exception ends it without its text."""
    if _tracer is None:
        return _NOTHING
    started: AbstractContextManager[Span] = _tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    )
    return started
