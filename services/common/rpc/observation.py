"""What is told of each call: one log line, its duration and result as metrics, a span."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.common import telemetry

_log = telemetry.get_logger("rpc")
_meter = telemetry.meter("idmesh.rpc")
_tracer = telemetry.tracer("idmesh.rpc")
_propagator = TraceContextTextMapPropagator()
_in_flight: Counter[str] = Counter()


def _observe_in_flight(_: CallbackOptions) -> Iterable[Observation]:
    return [Observation(count, {"method": method}) for method, count in list(_in_flight.items())]


_served = _meter.create_histogram(
    "idmesh.rpc.server.duration",
    unit="s",
    description="Time to serve an RPC, by method, code and caller; its count is the rate.",
    explicit_bucket_boundaries_advisory=telemetry.DURATION_BOUNDARIES_S,
)
_called = _meter.create_histogram(
    "idmesh.rpc.client.duration",
    unit="s",
    description="Time for another service to answer, by method and code; its count is the rate.",
    explicit_bucket_boundaries_advisory=telemetry.DURATION_BOUNDARIES_S,
)
_meter.create_observable_up_down_counter(
    "idmesh.rpc.server.in_flight",
    callbacks=[_observe_in_flight],
    description="RPCs being served now, by method.",
)

# What is logged as an error: somebody must look at it.
_ALARMING = frozenset({"INTERNAL", "UNKNOWN", "DATA_LOSS"})


class Served:
    """One RPC being served, filled in as it becomes known."""

    __slots__ = ("caller", "code", "method", "quiet", "reason", "started", "stream")

    def __init__(self, method: str, *, quiet: bool) -> None:
        self.method = method
        self.quiet = quiet
        self.caller = ""
        self.code = "OK"
        self.reason = ""
        self.started = time.perf_counter()
        _in_flight[method] += 1

    def finish(self) -> None:
        """Count the call and log it; never its content."""
        _in_flight[self.method] -= 1
        taken = time.perf_counter() - self.started
        attributes = {"method": self.method, "code": self.code, "caller": self.caller}
        _served.record(taken, attributes)
        if self.quiet and self.code not in _ALARMING:
            return
        write = _log.error if self.code in _ALARMING else _log.info
        told: dict[str, object] = {"duration_ms": round(taken * 1_000, 3), **attributes}
        if self.reason:
            told["reason"] = self.reason
        write("rpc", **told)


def record_client_call(method: str, code: str, started: float) -> None:
    """Count a call that this process made; started is time.perf_counter() at its start."""
    _called.record(time.perf_counter() - started, {"method": method, "code": code})


def tracing() -> bool:
    """Say whether spans go anywhere; without that none are made."""
    return isinstance(trace.get_tracer_provider(), TracerProvider)


def server_span(method: str, metadata: dict[str, str | bytes]) -> AbstractContextManager[object]:
    """Return the span to serve an RPC in, the child of the caller's."""
    if not tracing():
        return nullcontext()
    return _started_span(method, metadata)


@contextmanager
def _started_span(method: str, metadata: dict[str, str | bytes]) -> Iterator[None]:
    carrier = {key: value for key, value in metadata.items() if isinstance(value, str)}
    parent = _propagator.extract(carrier)
    with _tracer.start_as_current_span(
        method.lstrip("/"),
        context=parent,
        kind=trace.SpanKind.SERVER,
        attributes={"rpc.system": "grpc", "rpc.method": method},
        # The exception's message is not ours to keep.
        record_exception=False,
        set_status_on_exception=False,
    ):
        yield


def inject_trace(metadata: list[tuple[str, str | bytes]]) -> None:
    """Add the present span to an outgoing call's metadata."""
    if tracing():
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        metadata.extend(carrier.items())
