"""How late the event loop is: the first sign of work on it that belongs in a thread."""

from __future__ import annotations

import asyncio

from services.common import telemetry

INTERVAL_S = 0.5
# Worth a log line: every caller waited this long.
ALARMING_S = 0.5

_log = telemetry.get_logger("process")
_gauge = telemetry.meter("idmesh.process").create_gauge(
    "idmesh.process.loop_lag",
    unit="s",
    description="How much later than asked the event loop woke up, at the last look.",
)


async def watch_loop() -> None:
    """Measure for ever."""
    loop = asyncio.get_running_loop()
    _gauge.set(0.0)
    while True:
        before = loop.time()
        await asyncio.sleep(INTERVAL_S)
        lag = max(0.0, loop.time() - before - INTERVAL_S)
        _gauge.set(lag)
        if lag >= ALARMING_S:
            _log.warning("loop_stalled", lag_s=round(lag, 3))
