"""How many references there are, and how far the galleries are behind."""

from __future__ import annotations

from typing import Any

from services.abis.ports import Store
from services.abis.usecases.follow_log import FollowLog


class Count:
    """Counts references."""

    def __init__(self, store: Store, log: FollowLog[Any]) -> None:
        self._store = store
        self._log = log

    async def __call__(self) -> tuple[int, int]:
        """Return how many references are stored, and how many of them are not in memory."""
        references = await self._store.count()
        if self._log.applied is None:
            return references, references
        return references, await self._store.count_changes_after(self._log.applied)
