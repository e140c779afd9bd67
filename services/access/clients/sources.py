"""How much wrong one address may send to this process."""

from __future__ import annotations

from collections import OrderedDict

from services.common.clock import Clock
from services.common.errors import ResourceExhausted

MOST_SOURCES = 20_000


class SourceLimits:
    """A bucket per source that wrong attempts empty and time fills.

    Right ones cost nothing, so that an office behind one address can work. There is no bucket
    for all sources together: emptying it would be a way to lock everybody out.
    """

    def __init__(self, clock: Clock, *, burst: int, per_minute: float) -> None:
        self._clock = clock
        self._burst = float(burst)
        self._per_s = per_minute / 60.0
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, source: str) -> None:
        """Raise unless the source may try."""
        left = self._now(source)
        if left < 1.0:
            raise ResourceExhausted(
                "TOO_MANY_ATTEMPTS",
                "Too many wrong attempts from here.",
                retry_after_s=(1.0 - left) / self._per_s,
            )

    def failed(self, source: str) -> None:
        """Count a wrong attempt."""
        self._left[source] = (max(0.0, self._now(source) - 1.0), self._clock.monotonic())
        self._left.move_to_end(source)
        while len(self._left) > MOST_SOURCES:
            self._left.popitem(last=False)

    def _now(self, source: str) -> float:
        left, at = self._left.get(source, (self._burst, 0.0))
        return min(self._burst, left + (self._clock.monotonic() - at) * self._per_s)
