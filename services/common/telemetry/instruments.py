"""Metrics and traces: OpenTelemetry, exported by OTLP, a Prometheus endpoint, both or neither."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from services.common.config import ConfigError, TelemetryConfig
from services.common.telemetry.logs import Logger, configure_logs, get_logger

DURATION_BOUNDARIES_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip


_tracing = [False]


def tracing() -> bool:
    """Say whether spans go anywhere; without that none are made."""
    return _tracing[0]


def meter(name: str) -> metrics.Meter:
    """Return a meter; its instruments do nothing until the process sets telemetry up."""
    return metrics.get_meter(name)


def tracer(name: str) -> trace.Tracer:
    """Return a tracer; its spans do nothing until the process sets telemetry up."""
    return trace.get_tracer(name)


@dataclass(frozen=True)
class Telemetry:
    """What a service gets to tell about itself with."""

    logger: Logger
    meter: metrics.Meter
    tracer: trace.Tracer
    metrics_port: int | None = None
    _closers: tuple[Callable[[], object], ...] = field(default=(), repr=False)

    def shutdown(self) -> None:
        """Send what is still buffered and close the metrics endpoint."""
        for close in self._closers:
            close()


def setup(config: TelemetryConfig, process: str) -> Telemetry:
    """Set up the process's logs, metrics and traces; once in a process.

    Raises:
        ConfigError: metrics_listen is no address or cannot be listened on.
    """
    configure_logs(config.log_level, process)
    resource = Resource.create({"service.namespace": "idmesh", "service.name": process})
    closers: list[Callable[[], object]] = []
    readers: list[MetricReader] = []
    port = None
    if config.metrics_listen:
        reader, port, close = _prometheus(config.metrics_listen)
        readers.append(reader)
        closers.append(close)
    if config.otlp_endpoint:
        readers.append(_otlp_metrics(config.otlp_endpoint))
        spans = _otlp_traces(config.otlp_endpoint, resource, config.trace_ratio)
        trace.set_tracer_provider(spans)
        _tracing[0] = True
        closers.append(spans.shutdown)
    if readers:
        meters = MeterProvider(metric_readers=readers, resource=resource)
        metrics.set_meter_provider(meters)
        closers.append(meters.shutdown)
    return Telemetry(get_logger(process), meter(process), tracer(process), port, tuple(closers))


def _otlp_metrics(endpoint: str) -> MetricReader:
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    insecure = endpoint.startswith("http://")
    return PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint, insecure=insecure))


def _otlp_traces(endpoint: str, resource: Resource, ratio: float) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    sampler = ParentBased(TraceIdRatioBased(ratio))
    provider = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _prometheus(listen: str) -> tuple[MetricReader, int, Callable[[], object]]:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from prometheus_client import GC_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry
    from prometheus_client.exposition import start_http_server

    host, separator, port = listen.rpartition(":")
    if not separator or not port.isdecimal():
        raise ConfigError(f"telemetry.metrics_listen: must be HOST:PORT, is {listen!r}")
    registry = CollectorRegistry()
    registry.register(PROCESS_COLLECTOR)
    registry.register(GC_COLLECTOR)
    reader = PrometheusMetricReader(registry=registry)
    try:
        server, _ = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        raise ConfigError(f"telemetry.metrics_listen: {listen}: {error.strerror}") from error

    def close() -> None:
        server.shutdown()
        server.server_close()

    return reader, server.server_port, close
