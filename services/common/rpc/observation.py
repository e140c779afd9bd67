"""What is told of each call: one log line, its duration and result as metrics, a span.

Calls are only noted as they end. Lines and metrics are made of the notes some at a time, a
tenth of a second later: made one by one between other work they cost several times as much.
"""

from __future__ import annotations

import asyncio
import atexit
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.common import telemetry
from services.common.telemetry.instruments import tracing
from services.common.telemetry.logs import instant, write_known

FLUSH_S = 0.1
# At most so many are told at once: about a millisecond of work.
FLUSH_AT = 64

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

    __slots__ = ("caller", "code", "correlation_id", "method", "quiet", "reason", "started")

    def __init__(self, method: str, *, quiet: bool) -> None:
        self.method = method
        self.quiet = quiet
        self.caller = ""
        self.code = "OK"
        self.reason = ""
        self.correlation_id = ""
        self.started = time.perf_counter()
        _in_flight[method] += 1

    def finish(self) -> None:
        """Note the call as ended now."""
        _in_flight[self.method] -= 1
        trace_id = _end_span(self.code) if tracing() else ""
        _notes.add(_ServedNote(self, time.time(), time.perf_counter() - self.started, trace_id))


class _ServedNote(NamedTuple):
    served: Served
    at: float
    taken_s: float
    trace_id: str

    def tell(self) -> dict[str, object] | None:
        """Count the call; return its log line, which never has anything of its content."""
        served = self.served
        attributes = {"method": served.method, "code": served.code, "caller": served.caller}
        _served.record(self.taken_s, attributes)
        alarming = served.code in _ALARMING
        if served.quiet and not alarming:
            return None
        line: dict[str, object] = {
            "timestamp": instant(self.at),
            "level": "error" if alarming else "info",
            "component": "rpc",
            "event": "rpc",
            "correlation_id": served.correlation_id,
            "duration_ms": round(self.taken_s * 1_000, 3),
            **attributes,
        }
        if served.reason:
            line["reason"] = served.reason
        if self.trace_id:
            line["trace_id"] = self.trace_id
        return line


class _CalledNote(NamedTuple):
    method: str
    code: str
    taken_s: float

    def tell(self) -> None:
        """Count the call."""
        _called.record(self.taken_s, {"method": self.method, "code": self.code})


class _Notes:
    """The calls that ended and are not told yet."""

    def __init__(self) -> None:
        self._pending: list[_ServedNote | _CalledNote] = []
        self._awaited_by: asyncio.AbstractEventLoop | None = None

    def add(self, note: _ServedNote | _CalledNote) -> None:
        self._pending.append(note)
        if len(self._pending) >= FLUSH_AT:
            self.flush()
            return
        loop = asyncio.get_running_loop()
        if self._awaited_by is not loop:
            self._awaited_by = loop
            loop.call_later(FLUSH_S, self._due)

    def _due(self) -> None:
        self._awaited_by = None
        self.flush()

    def flush(self) -> None:
        """Tell them all."""
        pending, self._pending = self._pending, []
        lines = [line for note in pending if (line := note.tell()) is not None]
        if lines:
            write_known(lines)


_notes = _Notes()
atexit.register(_notes.flush)


def flush() -> None:
    """Tell of all calls that have ended so far."""
    _notes.flush()


def note_client_call(method: str, code: str, started: float) -> None:
    """Note a call that this process made; started is time.perf_counter() at its start."""
    _notes.add(_CalledNote(method, code, time.perf_counter() - started))


def server_span(method: str, metadata: dict[str, str | bytes]) -> AbstractContextManager[object]:
    """Return the span to serve an RPC in, the child of the caller's."""
    if not tracing():
        return nullcontext()
    return _started_span(method, metadata)


def inject_trace(metadata: list[tuple[str, str | bytes]]) -> None:
    """Add the present span to an outgoing call's metadata."""
    if tracing():
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        metadata.extend(carrier.items())


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


def _end_span(code: str) -> str:
    """Say in the present span how its RPC ended; return its trace's id."""
    span = trace.get_current_span()
    span.set_attribute("rpc.response.status_code", code)
    if code != "OK":
        span.set_status(trace.StatusCode.ERROR)
    return f"{span.get_span_context().trace_id:032x}"
