"""Structured logs: one JSON object a line on stderr, redacted, with the correlation id."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, cast

import structlog
from opentelemetry import trace

from services.common.telemetry.context import CORRELATION_ID
from services.common.telemetry.failures import describe
from services.common.telemetry.redaction import redact

Logger = structlog.typing.FilteringBoundLogger

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=str).encode
_common: dict[str, str] = {}
_level = [logging.INFO]


class _Stderr:
    """Looks stderr up at each write, so that a redirected stderr is honoured."""

    def msg(self, message: str) -> None:
        sys.stderr.write(message + "\n")
        sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg


def render(level: str, entry: MutableMapping[str, Any]) -> str:
    """Return a log line: the entry redacted, with time, level, process and correlation id."""
    error = entry.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    line = _head(level)
    line |= redact(entry)
    if isinstance(error, BaseException):
        # Types and frames only, of our own making: not to be redacted twice.
        line["error"] = describe(error)
    return _encode(line)


def write_known(lines: Iterable[Mapping[str, object]]) -> None:
    """Write lines whose fields are all of this package's callers' own making, at once.

    For the one line that every RPC writes: many together, without the redaction, cost a
    tenth. Nothing that came out of a request belongs in them.
    """
    if _level[0] <= logging.INFO:
        sys.stderr.write("".join(f"{_encode({**line, **_common})}\n" for line in lines))
        sys.stderr.flush()


def _head(level: str) -> dict[str, object]:
    line: dict[str, object] = {"timestamp": instant(time.time()), "level": level}
    if correlation := CORRELATION_ID.get():
        line["correlation_id"] = correlation
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        line["trace_id"] = f"{span.trace_id:032x}"
        line["span_id"] = f"{span.span_id:016x}"
    line |= _common
    return line


def instant(at: float) -> str:
    """Return the form in which logs give an instant, here in seconds since 1970."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")


def _processor(_: object, method: str, entry: MutableMapping[str, Any]) -> str:
    return render("error" if method == "exception" else method, entry)


class _ThroughRedaction(logging.Handler):
    """Brings the logs of libraries into the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            entry: dict[str, Any] = {"event": record.getMessage(), "component": record.name}
            entry["exc_info"] = record.exc_info
            sys.stderr.write(render(record.levelname.lower(), entry) + "\n")
        except Exception:
            self.handleError(record)


def get_logger(name: str) -> Logger:
    """Return a logger; events are snake_case, all else goes into keywords."""
    return cast(Logger, structlog.get_logger(component=name))


def configure_logs(level: str, process: str) -> None:
    """Set the level and the process name; also routes the standard library's logging here."""
    number = _LEVELS[level]
    _common["process"] = process
    _level[0] = number
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(number))
    root = logging.getLogger()
    root.handlers = [_ThroughRedaction()]
    root.setLevel(max(number, logging.INFO))
    logging.captureWarnings(True)
    # A failed emit must not print the record, and with it the data, to stderr.
    logging.raiseExceptions = False


# At import, so that nothing is ever printed unredacted, in tests and tools included.
structlog.configure(
    processors=[_processor],
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    logger_factory=lambda *_: _Stderr(),
    cache_logger_on_first_use=False,
)
