"""What the database layer measures; silent until telemetry sets a meter provider."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import metrics

_WAITED_S = 0.001

_METER = metrics.get_meter("idmesh.postgres")
_STATEMENT_S = _METER.create_histogram(
    "idmesh_database_statement_seconds", unit="s", description="Time of a statement, by its name."
)
_ACQUIRE_S = _METER.create_histogram(
    "idmesh_database_acquire_seconds",
    unit="s",
    description="Time to get a connection, where one had to be waited for.",
)
_ERRORS = _METER.create_counter(
    "idmesh_database_errors", description="Statements that failed, by name and error type."
)


@contextmanager
def statement(service: str, name: str) -> Iterator[None]:
    """Time one statement; count it when it fails."""
    started = time.perf_counter()
    try:
        yield
    except Exception as error:
        _ERRORS.add(1, {"service": service, "statement": name, "error": type(error).__name__})
        raise
    finally:
        elapsed = time.perf_counter() - started
        _STATEMENT_S.record(elapsed, {"service": service, "statement": name})


@contextmanager
def acquiring(service: str) -> Iterator[None]:
    """Time the wait for a connection; one that was free is not worth telling."""
    started = time.perf_counter()
    try:
        yield
    finally:
        elapsed = time.perf_counter() - started
        if elapsed >= _WAITED_S:
            _ACQUIRE_S.record(elapsed, {"service": service})
