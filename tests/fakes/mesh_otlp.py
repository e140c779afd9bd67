"""A receiver of OTLP over gRPC that keeps what it is sent, for tests to look into."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2,
    metrics_service_pb2_grpc,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass
class Received:
    """What came, as the bytes of each request."""

    endpoint: str = ""
    traces: list[bytes] = field(default_factory=list)
    metrics: list[bytes] = field(default_factory=list)

    def span_names(self) -> set[str]:
        """The names of all spans so far."""
        requests = [
            trace_service_pb2.ExportTraceServiceRequest.FromString(each)
            for each in list(self.traces)
        ]
        return {
            span.name
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:
        """Keep a request."""
        self._received.traces.append(request.SerializeToString())
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:
        """Keep a request."""
        self._received.metrics.append(request.SerializeToString())
        return metrics_service_pb2.ExportMetricsServiceResponse()


@contextmanager
def receiver() -> Iterator[Received]:
    """Listen on a port of its own, in threads, so that no event loop is needed."""
    received = Received()
    server = grpc.server(ThreadPoolExecutor(2))
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add(_Traces(received), server)
    add = metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server
    add(_Metrics(received), server)
    received.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield received
    finally:
        server.stop(1.0).wait()
