"""How the service is, and what it has still to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from services.abis.domain.reference import Position
from services.abis.ports import Galleries, Memory
from services.abis.usecases.bulk_load import BulkLoad
from services.abis.usecases.follow_log import FollowLog
from services.abis.usecases.search_queue import SearchQueue


@dataclass(frozen=True, slots=True)
class Pending:
    """What has been asked for and is not done."""

    searches: int
    changes: int
    loads: int

    @property
    def all(self) -> int:
        """The sum."""
        return self.searches + self.changes + self.loads


class Status:
    """Says how the service is."""

    def __init__(
        self,
        galleries: Galleries[Any],
        log: FollowLog[Any],
        queue: SearchQueue[Any],
        loads: BulkLoad[Any],
        count: Callable[[], Awaitable[tuple[int, int]]],
    ) -> None:
        self._galleries = galleries
        self._log = log
        self._queue = queue
        self._loads = loads
        self._count = count

    def applied(self) -> Position | None:
        """Return up to where the galleries hold everything; None while they are loaded."""
        return self._log.position

    def memory(self) -> Memory:
        """Return what the galleries hold; may take a moment."""
        return self._galleries.memory()

    def waiting(self) -> int:
        """Return how many searches wait or run."""
        return len(self._queue)

    async def pending(self) -> Pending:
        """Return what is still to do."""
        _, changes = await self._count()
        return Pending(len(self._queue), changes, len(self._loads))
