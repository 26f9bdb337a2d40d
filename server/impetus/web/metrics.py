"""`GET /api/metrics`: what Prometheus reads. Labels are ours, never what a client wrote."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: Seconds; from a cached search to a long answer.
_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """One registry for each port, so that two of them in one process do not add up."""

    def __init__(self, model_memory: Callable[[], Mapping[str, int]]) -> None:
        """`model_memory`: name of a held model → bytes."""
        self._registry = registry = CollectorRegistry()
        registry.register(_ModelMemory(model_memory))
        self.requests = Counter(
            "impetus_http_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "impetus_http_request_duration_seconds",
            "Until the last byte of an answer",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.active = Gauge("impetus_active_connections", "Requests being answered", registry=registry)
        self.inference_seconds = Histogram(
            "impetus_inference_duration_seconds",
            "Of a generation, waiting included",
            ["role"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.tokens = Counter("impetus_tokens_generated", "Tokens that models wrote", ["role"], registry=registry)
        self.search_seconds = Histogram(
            "impetus_rag_search_duration_seconds", "Of a search", buckets=_BUCKETS, registry=registry
        )
        self.embedding_seconds = Histogram(
            "impetus_embedding_duration_seconds",
            "Of one request for embeddings",
            buckets=_BUCKETS,
            registry=registry,
        )

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _ModelMemory(Collector):
    def __init__(self, read: Callable[[], Mapping[str, int]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "impetus_model_memory_bytes", "Weights and caches of a model that is held", labels=["model"]
        )
        for name, nbytes in self._read().items():
            family.add_metric([name], nbytes)
        yield family
