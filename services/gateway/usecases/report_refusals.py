"""Refusals are counted and told to audit: the gateway keeps no feed that it could write them to.

A refusal changes nothing, so its record may come a little later than it; what a killed gateway had
not yet told is lost, at most some seconds of counts. A flood of strangers is one line a report.
"""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

from services.common import telemetry
from services.common.clock import Clock
from services.common.errors import PlatformError
from services.gateway.domain.directory import Directory
from services.gateway.domain.refusals import Refusals
from services.gateway.ports import RefusalLog

MOST_LINES = 256


class ReportRefusals:
    """Counts refusals by partner and reason.

    Args:
        directory: who is known. What a stranger calls itself is nothing to write down.
        audit: where reports go.
        interval_s: between reports.
    """

    def __init__(
        self, directory: Directory, audit: RefusalLog, clock: Clock, *, interval_s: float
    ) -> None:
        self._directory = directory
        self._audit = audit
        self._clock = clock
        self._interval_s = interval_s
        self._counted: dict[tuple[str, str], Refusals] = {}
        self._unsent: tuple[UUID, list[Refusals]] | None = None

    def note(self, partner_id: str, reason: str) -> None:
        """Count one refusal."""
        known = partner_id if partner_id in self._directory.partners else ""
        key = (known, reason)
        if key not in self._counted and len(self._counted) >= MOST_LINES - 1:
            key = ("", "OTHERS")
        now = self._clock.now()
        line = self._counted.get(key)
        if line is None:
            self._counted[key] = Refusals(*key, 1, now, now, telemetry.correlation_id())
            return
        line.count += 1
        line.last_at = now

    async def run(self) -> None:
        """Report every interval_s until cancelled; then once more."""
        try:
            while True:
                await asyncio.sleep(self._interval_s)
                await self.report()
        finally:
            await self.report()

    async def report(self) -> None:
        """Tell what was counted; what cannot be told now is told, once, with the next."""
        if self._unsent is None:
            if not self._counted:
                return
            self._unsent = (uuid4(), list(self._counted.values()))
            self._counted = {}
        try:
            await self._audit.append(*self._unsent)
        except PlatformError as error:
            _LOG.warning("refusals_not_reported", reason=error.reason)
        else:
            self._unsent = None


_LOG = telemetry.get_logger(__name__)
