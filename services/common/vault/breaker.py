"""A circuit breaker: while Vault is away callers learn it at once, and one call tries it."""

from __future__ import annotations

import time
from collections.abc import Callable

from services.common.errors import PlatformError
from services.common.vault.limits import VaultLimits


class Breaker:
    """Closed; open after consecutive failures; half open while one probe is under way."""

    def __init__(
        self, limits: VaultLimits, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._failures = 0
        self._open_s = limits.open_s
        self._closed_at: float | None = None
        self._probing = False
        self._last: PlatformError | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, but for a probe."""
        return self._closed_at is not None

    def enter(self) -> None:
        """Let a call through, or raise what the last one failed with."""
        if self._closed_at is None:
            return
        if self._probing or self._monotonic() < self._closed_at:
            assert self._last is not None
            raise type(self._last)(
                self._last.reason,
                self._last.message,
                metadata={**self._last.metadata, "breaker": "open"},
                retry_after_s=max(self._closed_at - self._monotonic(), 0.1),
            )
        self._probing = True

    def succeeded(self) -> None:
        """Close: the server answers."""
        self._failures = 0
        self._open_s = self._limits.open_s
        self._closed_at = None
        self._probing = False

    def failed(self, error: PlatformError) -> None:
        """Count a failure; open, or stay open for longer after a probe."""
        self._last = error
        self._failures += 1
        if self._probing:
            self._open_s = min(self._open_s * 2, self._limits.open_max_s)
        elif self._closed_at is not None or self._failures < self._limits.failures_to_open:
            return
        self._probing = False
        self._closed_at = self._monotonic() + self._open_s

    def abandoned(self) -> None:
        """Give the probe's place back: its caller went away before there was an answer."""
        self._probing = False
