"""OpenTelemetry traces of requests, switched on by the standard environment variables and by nothing else."""

import os
from collections.abc import Mapping

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def asked_for(environment: Mapping[str, str]) -> bool:
    """Where traces would go is said, and nothing says that they should not."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return any(environment.get(name) for name in _ENDPOINTS)


def start() -> None:
    """Send spans to a collector, where one is named. FastAPI makes a span for each request, `measured.py` the rest."""
    if not asked_for(os.environ):
        return
    # A third of a second of imports that most people never need.
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return  # another port of this process has done it
    name = os.environ.get("OTEL_SERVICE_NAME", "impetus")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
