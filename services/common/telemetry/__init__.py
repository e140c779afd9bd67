"""Logs, metrics and traces, with no personal data in any of them.

Logs are JSON on stderr: every entry passes through the redaction. Metrics and traces are
OpenTelemetry's; nothing is exported until the process calls setup().
"""

from services.common.telemetry.context import correlated, correlation_id
from services.common.telemetry.failures import describe
from services.common.telemetry.instruments import (
    DURATION_BOUNDARIES_S,
    Telemetry,
    meter,
    setup,
    tracer,
)
from services.common.telemetry.logs import Logger, configure_logs, get_logger
from services.common.telemetry.redaction import redact, scrub

__all__ = [
    "DURATION_BOUNDARIES_S",
    "Logger",
    "Telemetry",
    "configure_logs",
    "correlated",
    "correlation_id",
    "describe",
    "get_logger",
    "meter",
    "redact",
    "scrub",
    "setup",
    "tracer",
]
