"""The galleries follow the log: one applier, in order, from all references at the start."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final, Generic
from uuid import UUID

from services.abis.domain.reference import Change, ChangeKind, Position, StoredReference
from services.abis.ports import Galleries, Keys, Parsed, Store, TemplateRefusedError
from services.common.errors import FailedPrecondition, Internal, Unavailable

_PAGE = 200
_RETRY_AFTER_S = 0.5
# Inserted here of late: about to be searched for by their ids.
RECENT: Final = 256


class FollowLog(Generic[Parsed]):
    """Keeps the galleries equal to the stored references, up to a known place in the log."""

    def __init__(
        self, store: Store, keys: Keys, galleries: Galleries[Parsed], *, poll_s: float = 1.0
    ) -> None:
        self._store = store
        self._keys = keys
        self._galleries = galleries
        self._poll_s = poll_s
        self._changed = asyncio.Event()
        self._moved = asyncio.Condition()
        self._applying = asyncio.Lock()
        self._recent: OrderedDict[UUID, Parsed] = OrderedDict()
        self._start: Position | None = None
        # Applied up to here; None while the references are being loaded.
        self.applied: int | None = None

    @property
    def position(self) -> Position | None:
        """The place up to which the galleries hold everything; None while they are loaded."""
        if self.applied is None or self._start is None:
            return None
        return Position(self._start.epoch, self.applied)

    def wake(self) -> None:
        """Say that the log has grown."""
        self._changed.set()

    async def offer(self, reference_id: UUID, position: Position, parsed: Parsed) -> None:
        """Take an insert that was just committed; one that is next in the log is not read again."""
        self._recent[reference_id] = parsed
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        async with self._applying:
            is_next = self.applied is not None and position.sequence == self.applied + 1
            if is_next:
                self._galleries.add(reference_id, parsed)
                await self._advance(position.sequence)
        if not is_next:
            self.wake()

    def recent(self, reference_id: UUID) -> Parsed | None:
        """Return the templates of a reference that was inserted here of late, None otherwise."""
        return self._recent.get(reference_id)

    async def load(self) -> int:
        """Put all references into the galleries; return how many.

        What changes meanwhile is in the log behind the head that is read first; so a load that
        failed halfway goes on from the head that it began with.
        """
        if self._start is None:
            self._start = await self._store.head()
        sequence, loaded = 0, 0
        while page := await self._store.references_after(sequence, limit=_PAGE):
            for reference in page:
                await self._add(reference)
            loaded += len(page)
            sequence = page[-1].sequence
        await self._advance(self._start.sequence)
        return loaded

    async def follow(self) -> None:
        """Apply the log for ever; after an error, call again: nothing is skipped."""
        assert self.applied is not None, "load first"
        while True:
            self._changed.clear()
            while await self.apply_some():
                pass
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def apply_some(self) -> int:
        """Apply the next entries; return how many there were."""
        assert self.applied is not None, "load first"
        async with self._applying:
            changes = await self._store.changes_after(self.applied, limit=_PAGE)
            for change in changes:
                await self._apply(change)
                await self._advance(change.sequence)
        return len(changes)

    async def wait_for(self, position: Position | None, *, timeout_s: float) -> None:
        """Return when the galleries hold everything up to a position; None: all at the start.

        Raises:
            Unavailable: GALLERY_LOADING, not within timeout_s.
            FailedPrecondition: POSITION_OF_ANOTHER_EPOCH, it was given before a restore.
        """
        if position is not None and self._start is not None and position.epoch != self._start.epoch:
            raise FailedPrecondition(
                "POSITION_OF_ANOTHER_EPOCH", "The database was restored since; insert again."
            )
        sequence = 0 if position is None else position.sequence
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self._covers(sequence))
        except TimeoutError:
            raise Unavailable(
                "GALLERY_LOADING",
                "The references are not all in memory yet.",
                retry_after_s=_RETRY_AFTER_S,
            ) from None

    def _covers(self, sequence: int) -> bool:
        return self.applied is not None and self.applied >= sequence

    async def _apply(self, change: Change) -> None:
        if change.kind is ChangeKind.DELETED:
            await self._remove(change.reference_id)
        elif change.reference is not None:
            await self._add(change.reference)

    async def _add(self, reference: StoredReference) -> None:
        templates = await self._keys.open(reference.reference_id, reference.sealed)

        def add() -> None:
            self._galleries.add(reference.reference_id, self._galleries.parse(templates))

        try:
            await asyncio.to_thread(add)
        except TemplateRefusedError as error:
            # It parsed when it was inserted. Searching without it would miss its duplicates.
            raise Internal("REFERENCE_UNREADABLE", "A stored template does not parse.") from error

    async def _remove(self, reference_id: UUID) -> None:
        self._recent.pop(reference_id, None)
        await asyncio.to_thread(self._galleries.remove, reference_id)

    async def _advance(self, sequence: int) -> None:
        async with self._moved:
            self.applied = sequence
            self._moved.notify_all()
