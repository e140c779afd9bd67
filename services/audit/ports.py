"""What the use cases need from outside."""

from __future__ import annotations

from typing import Protocol

from services.audit.domain.record import LogRecord, SearchFilter


class LogReader(Protocol):
    """Reads the log."""

    async def search(
        self, wanted: SearchFilter, *, below_index: int | None, limit: int
    ) -> list[LogRecord]:
        """Return at most `limit` records, newest first, with an index below `below_index`."""
