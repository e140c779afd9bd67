"""The galleries follow the log: one applier, in order, from a snapshot or all references."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Generic
from uuid import UUID

from services.abis.domain.failure import mosip_code
from services.abis.domain.reference import Change, ChangeKind, Position, StoredReference
from services.abis.ports import (
    Galleries,
    GalleryFullError,
    Keys,
    Parsed,
    Store,
    TemplateRefusedError,
)
from services.common.errors import FailedPrecondition, Internal, ResourceExhausted, Unavailable

_PAGE = 200
_RETRY_AFTER_S = 0.5
_FULL_RETRY_S = 60.0
# Inserted here of late: about to be searched for by their ids.
RECENT: Final = 256

# Fills the empty galleries, up to the head at most; returns up to where, None where it cannot.
Restore = Callable[[Position], Awaitable[Position | None]]


class FollowLog(Generic[Parsed]):
    """Keeps the galleries equal to the stored references, up to a known place in the log.

    Args:
        restore: fills the galleries from a snapshot where there is one.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        galleries: Galleries[Parsed],
        *,
        poll_s: float = 1.0,
        restore: Restore | None = None,
    ) -> None:
        self._store = store
        self._keys = keys
        self._galleries = galleries
        self._poll_s = poll_s
        self._restore = restore
        self._changed = asyncio.Event()
        self._moved = asyncio.Condition()
        self._applying = asyncio.Lock()
        self._recent: OrderedDict[UUID, Parsed] = OrderedDict()
        self._start: Position | None = None
        self._loaded_up_to: int | None = None
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
        self._remember(reference_id, parsed)
        await self.offer_many([(reference_id, position.sequence, parsed)])

    async def offer_many(self, inserts: Sequence[tuple[UUID, int, Parsed]]) -> None:
        """Take inserts (id, place, templates) that were just committed, in their order."""
        async with self._applying:
            sequences = [sequence for _, sequence, _ in inserts]
            follows = self.applied is not None and sequences == list(
                range(self.applied + 1, self.applied + 1 + len(inserts))
            )
            if not follows or not inserts:
                self.wake()
                return
            try:
                if len(inserts) == 1:
                    self._add_parsed(inserts)
                else:
                    await asyncio.to_thread(self._add_parsed, inserts)
            except GalleryFullError:
                # They are durable. The log says so until there is room, and no search passes them.
                self.wake()
                return
            await self._advance(sequences[-1])

    def _add_parsed(self, inserts: Sequence[tuple[UUID, int, Parsed]]) -> None:
        for reference_id, _, parsed in inserts:
            self._galleries.add(reference_id, parsed)

    async def withdraw(self, reference_id: UUID, position: Position) -> None:
        """Take a delete that was just committed: from now on no search finds the reference."""
        async with self._applying:
            # Where the log is ahead of it, an insert of the same id may have followed.
            if self.applied is not None and self.applied < position.sequence:
                # Early is harmless: inserts that the log has before it stand no more.
                await self._remove(reference_id)
                if self.applied + 1 == position.sequence:
                    await self._advance(position.sequence)
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
        if self._loaded_up_to is None and self._restore is not None:
            restored = await self._restore(self._start)
            self._loaded_up_to = None if restored is None else restored.sequence
            self._restore = None
        if self._loaded_up_to is None:
            await self._load_references()
            self._loaded_up_to = self._start.sequence
        while self._loaded_up_to < self._start.sequence:
            changes = await self._store.changes_after(self._loaded_up_to, limit=_PAGE)
            await self._apply(changes)
            self._loaded_up_to = changes[-1].sequence
        await self._advance(self._loaded_up_to)
        return self._galleries.references()

    async def _load_references(self) -> None:
        """Read a page while the one before it is made ready."""
        page = await self._store.references_after(0, limit=_PAGE)
        while page:
            after = page[-1].sequence
            following = asyncio.ensure_future(self._store.references_after(after, limit=_PAGE))
            try:
                await self._add(page)
            except BaseException:
                following.cancel()
                raise
            page = await following

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
            if changes:
                await self._apply(changes)
                await self._advance(changes[-1].sequence)
        return len(changes)

    @asynccontextmanager
    async def standing_still(self) -> AsyncIterator[Position | None]:
        """Keep the galleries at the place that is given; None while they are loaded."""
        async with self._applying:
            yield self.position

    async def wait_for(self, position: Position | None, *, timeout_s: float) -> Position:
        """Return when the galleries hold everything up to a position; None: all at the start.

        Returns the place that they hold.

        Raises:
            Unavailable: GALLERY_LOADING, not within timeout_s.
            FailedPrecondition: POSITION_OF_ANOTHER_EPOCH, it was given before a restore.
        """
        if position is not None and self._start is not None and position.epoch != self._start.epoch:
            raise FailedPrecondition(
                "POSITION_OF_ANOTHER_EPOCH",
                "The database was restored since; insert again.",
                metadata=mosip_code("POSITION_OF_ANOTHER_EPOCH"),
            )
        sequence = 0 if position is None else position.sequence
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self._covers(sequence))
        except TimeoutError:
            raise gallery_loading() from None
        here = self.position
        assert here is not None, "it covers the position"
        return here

    def _covers(self, sequence: int) -> bool:
        return self.applied is not None and self.applied >= sequence

    async def _apply(self, changes: Sequence[Change]) -> None:
        """Apply entries in order; inserts that follow one another are made ready together."""
        together: list[StoredReference] = []
        for change in changes:
            if change.kind is ChangeKind.INSERTED:
                if change.reference is not None:
                    together.append(change.reference)
                continue
            await self._add(together)
            together = []
            await self._remove(change.reference_id)
        await self._add(together)

    async def _add(self, references: Sequence[StoredReference]) -> None:
        if not references:
            return
        opened = await self._keys.open_all(references)

        def add() -> None:
            for reference, templates in zip(references, opened, strict=True):
                self._galleries.add(reference.reference_id, self._galleries.parse(templates))

        try:
            await asyncio.to_thread(add)
        except TemplateRefusedError as error:
            # It parsed when it was inserted. Searching without it would miss its duplicates.
            raise Internal("REFERENCE_UNREADABLE", "A stored template does not parse.") from error
        except GalleryFullError as error:
            raise gallery_full() from error

    async def _remove(self, reference_id: UUID) -> None:
        self._recent.pop(reference_id, None)
        await asyncio.to_thread(self._galleries.remove, reference_id)

    def _remember(self, reference_id: UUID, parsed: Parsed) -> None:
        self._recent[reference_id] = parsed
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    async def _advance(self, sequence: int) -> None:
        async with self._moved:
            self.applied = sequence
            self._moved.notify_all()


def gallery_loading() -> Unavailable:
    """Return the error."""
    return Unavailable(
        "GALLERY_LOADING",
        "The references are not all in memory yet.",
        metadata=mosip_code("GALLERY_LOADING"),
        retry_after_s=_RETRY_AFTER_S,
    )


def gallery_full() -> ResourceExhausted:
    """Return the error."""
    return ResourceExhausted(
        "GALLERY_FULL",
        "The memory for references is used up.",
        metadata=mosip_code("GALLERY_FULL"),
        retry_after_s=_FULL_RETRY_S,
    )
