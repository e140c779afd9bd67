"""What a service must have done before it serves is tried again while a part of it is away.

To give up would end the process, and with it every service that shares it: to start again costs
seconds and another login.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.common import telemetry
from services.common.errors import Unavailable

R = TypeVar("R")

WITHIN_S = 30.0
PAUSE_S = 0.2

_LOG = telemetry.get_logger(__name__)


async def patiently(
    act: Callable[[], Awaitable[R]], *, within_s: float = WITHIN_S, pause_s: float = PAUSE_S
) -> R:
    """Return what an idempotent act returns, tried until nothing that it needs is away.

    Raises:
        Unavailable: it is away still after within_s.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + within_s
    while True:
        try:
            return await act()
        except Unavailable as error:
            if loop.time() >= end:
                raise
            _LOG.info("start_waits", reason=error.reason)
        await asyncio.sleep(pause_s)
