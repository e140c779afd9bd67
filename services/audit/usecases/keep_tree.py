"""Signs at short intervals for as long as the service runs, and raises the alarm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from services.audit.domain.tree import LogRefused
from services.audit.ports import Checkpoints, OwnActs
from services.common.clock import Clock
from services.common.errors import PlatformError
from services.common.tlog import Checkpoint

Alarm = Callable[[LogRefused | None], None]


class KeepTree:
    """Grows the tree every interval_s.

    Args:
        grow: one pass; see GrowTree.
        checkpoints: tells when it was signed last.
        acts: where the log says that it lives when nothing else happens.
        alarm: told what was found wrong, and None after each pass that went well.
        late: told an error that passes by itself.
        interval_s: between passes; a minute is the most that a record may wait for its signature.
        quiet_s: after so long without anything new a record is made, so that a log that stands
            still is seen to be stopped.
    """

    def __init__(
        self,
        grow: Callable[[], Awaitable[Checkpoint | None]],
        checkpoints: Checkpoints,
        acts: OwnActs,
        clock: Clock,
        *,
        alarm: Alarm,
        late: Callable[[PlatformError], None],
        interval_s: float,
        quiet_s: float,
    ) -> None:
        self._grow = grow
        self._checkpoints = checkpoints
        self._acts = acts
        self._clock = clock
        self._alarm = alarm
        self._late = late
        self._interval_s = interval_s
        self._quiet = timedelta(seconds=quiet_s)

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(self._interval_s)

    async def once(self) -> None:
        """One pass; what goes wrong is told, and tried again in the next."""
        try:
            if await self._grow() is None and await self._is_quiet():
                await self._acts.record("LOG_QUIET", "log", b"", {})
                await self._grow()
        except LogRefused as refused:
            self._alarm(refused)
        except PlatformError as error:
            self._late(error)
        else:
            self._alarm(None)

    async def _is_quiet(self) -> bool:
        last = await self._checkpoints.last()
        return last is None or self._clock.now() - last.signed_at >= self._quiet
