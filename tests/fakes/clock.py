"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.common.clock import Clock

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeClock(Clock):
    def __init__(self, start: datetime = START) -> None:
        assert start.tzinfo is not None, "an instant carries its zone"
        self._now = start
        self._monotonic = 1_000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both readings forward."""
        assert seconds >= 0, "use set() to turn the wall clock back"
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def set(self, now: datetime) -> None:
        """Change the wall clock alone, as an operator or NTP would."""
        assert now.tzinfo is not None, "an instant carries its zone"
        self._now = now
