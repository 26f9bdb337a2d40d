"""What the port says of itself: metrics, hardware, JSON lines of the log, traces to a collector."""

import json
import logging
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.http import Port
from tests.support.scripted_session import Script

from impetus.daemon.log import JsonFormatter
from impetus.domain.canary import Verdict
from impetus.domain.hardware import Conditions, Cores, Hardware
from impetus.domain.types import End, FinishReason, Piece, Usage
from impetus.request_id import request_id
from impetus.services.dispatcher import BackendState
from impetus.web.metrics import Metrics
from impetus.web.tracing import asked_for

CHAT = {"model": "impetus", "messages": [{"role": "user", "content": "hello"}]}


async def test_metrics() -> None:
    port = Port(Script(steps=(Piece("x"), End(FinishReason.STOP, Usage(5, 4)))))
    async with port.client() as client:
        await client.post("/v1/chat/completions", json=CHAT)
        await client.post("/v1/completions", json={"model": "impetus-complete", "prompt": "secret prompt"})
        await client.post("/v1/embeddings", json={"model": "impetus-embed", "input": "x"})
        await client.post("/v1/rag/search", json={"query": "x"})
        await client.get("/v1/models/impetus")
        await client.get("/an/invented/place")
        await client.request("INVENT", "/v1/models")
        answer = await client.get("/api/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert not any(word in answer.text for word in ("invented", "INVENT", "secret", port.key))
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["impetus_tokens_generated_total", (("role", "chat"),)] == 3
    assert samples["impetus_tokens_generated_total", (("role", "completion"),)] == 4
    assert samples["impetus_inference_duration_seconds_count", (("role", "chat"),)] == 1
    assert samples["impetus_rag_search_duration_seconds_count", ()] == 2  # one of them for the chat
    assert samples["impetus_embedding_duration_seconds_count", ()] == 1
    assert samples["impetus_active_connections", ()] == 1  # this one
    route = (("method", "GET"), ("route", "/v1/models/{model:path}"), ("status", "200"))
    assert samples["impetus_http_requests_total", route] == 1
    assert samples["impetus_http_requests_total", (("method", "GET"), ("route", "none"), ("status", "404"))] == 1


def test_memory_of_models() -> None:
    text = Metrics(lambda: {"small": 5}).text().decode()
    assert 'impetus_model_memory_bytes{model="small"} 5.0' in text


async def test_hardware() -> None:
    async with Port(role="readonly").client() as client:
        info = (await client.get("/api/hardware/info")).json()
    assert info["memory"]["total_bytes"] >= info["memory"]["available_bytes"] > 0
    assert info["cores"]["logical"] >= 1
    assert info["embedding_backends"] == []


async def test_hardware_of_a_mac_and_where_embeddings_are_computed() -> None:
    mac = Hardware("Darwin", "26.1", "25B78", "Apple M4 Max", (Cores("Performance", 12), Cores("Efficiency", 4)), 40)
    backends = [
        BackendState("Neural Engine", "failed", "it is slow", Verdict("it is slow", 1.0, 0.98, 0.01, 0.002)),
        BackendState("GPU", "in use"),
    ]
    script = Script(machine=(mac, Conditions(on_battery=True, charge=40, pressure="heavy")), backends=backends)
    async with Port(script, role="readonly").client() as client:
        info = (await client.get("/api/hardware/info")).json()
    assert (info["processor"], info["family"], info["neural_engine"]) == ("Apple M4 Max", "M4", True)
    assert (info["system_version"], info["system_build"], info["cores"]["gpu"]) == ("26.1", "25B78", 40)
    assert info["cores"]["kinds"] == [{"kind": "Performance", "count": 12}, {"kind": "Efficiency", "count": 4}]
    assert (info["on_battery"], info["thermal_pressure"]) == (True, "heavy")
    assert info["strain"] == "on battery, 40 % left"
    engine, gpu = info["embedding_backends"]
    assert (engine["state"], engine["reason"], engine["canary"]["placed"]) == ("failed", "it is slow", 0.98)
    assert gpu == {"name": "GPU", "state": "in use", "reason": None, "canary": None}


async def test_one_request_keeps_its_id(caplog: pytest.LogCaptureFixture) -> None:
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(JsonFormatter().format(record))

    logger, handler = logging.getLogger("impetus.web"), Lines()
    logger.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, "impetus.web"):
            async with Port(Script(events=[ValueError("lost")])).client() as client:
                answer = await client.post("/v1/chat/completions", json=CHAT)
    finally:
        logger.removeHandler(handler)
    error, access = map(json.loads, lines)
    assert error["request_id"] == access["request_id"] == answer.headers["x-request-id"]
    assert (error["level"], "ValueError: lost" in error["exception"]) == ("error", True)
    assert (access["route"], access["status"], access["method"]) == ("/v1/chat/completions", 500, "POST")
    assert request_id.get() == ""


# -- traces ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_are_asked_for_by_the_standard_variables(environment: dict[str, str], asked: bool) -> None:
    assert asked_for(environment) is asked


#: A process of its own: a tracer provider is set once for the life of a process.
ONE_REQUEST = """
import asyncio
from tests.support.http import Port

async def main():
    async with Port().client(traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01") as client:
        body = {"model": "impetus", "messages": [{"role": "user", "content": "do not tell"}]}
        assert (await client.post("/v1/chat/completions", json=body)).status_code == 200

asyncio.run(main())
"""


def test_traces_reach_a_collector(tmp_path: Path) -> None:
    received: Queue[bytes] = Queue()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever).start()
    try:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_SERVICE_NAME": "mine",
        }
        done = subprocess.run([sys.executable, "-c", ONE_REQUEST], env=environment, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        sent = received.get(timeout=10)
    finally:
        server.shutdown()
        server.server_close()
    assert b"do not tell" not in sent
    (resource,) = ExportTraceServiceRequest.FromString(sent).resource_spans
    assert any(
        item.key == "service.name" and item.value.string_value == "mine" for item in resource.resource.attributes
    )
    spans = {span.name: span for scope in resource.scope_spans for span in scope.spans}
    request = next(span for name, span in spans.items() if name.startswith("POST"))
    assert request.trace_id.hex() == "a" * 32 and request.parent_span_id.hex() == "b" * 16
    chat = spans["chat"]
    assert chat.trace_id == request.trace_id and chat.parent_span_id in {span.span_id for span in spans.values()}
    assert {item.key: item.value.int_value for item in chat.attributes}["gen_ai.usage.output_tokens"] == 3
