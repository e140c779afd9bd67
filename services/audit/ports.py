"""What the use cases need from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from services.audit.domain.record import LogRecord, SearchFilter
from services.audit.domain.tree import Refusals, SignedCheckpoint, StoredEntry
from services.common.tlog import Checkpoint, Tile, TileId, VerifierKey


class LogReader(Protocol):
    """Reads the log."""

    async def search(
        self, wanted: SearchFilter, *, below_index: int | None, limit: int
    ) -> list[LogRecord]:
        """Return at most `limit` records, newest first, with an index below `below_index`."""

    async def size(self) -> int:
        """Return how many records there are."""

    async def entries(self, start: int, end: int) -> list[StoredEntry]:
        """Return the records [start, end) in their order."""

    async def index_of(self, audit_id: UUID) -> int | None:
        """Return a record's place."""


class OwnActs(Protocol):
    """Appends what this service itself does: its feed is the log."""

    async def record(
        self,
        action: str,
        subject_kind: str,
        subject_key: bytes,
        details: Mapping[str, str],
        *,
        refused: bool = False,
    ) -> None:
        """Append one act that the present caller asked for."""


class Checkpoints(Protocol):
    """What was signed, and its publication."""

    async def last(self) -> SignedCheckpoint | None:
        """Return the last one; None before the first."""

    async def note_at(self, size: int) -> bytes:
        """Return the note of a size; empty when none was signed."""

    async def add(self, checkpoint: Checkpoint, note: bytes, *, after: int | None) -> bool:
        """Keep a checkpoint; False when another one was added after that of size `after`."""

    async def publish_last(self, publish: Callable[[bytes], Awaitable[None]]) -> None:
        """Call publish with the last note, one at a time."""


class LogFiles(Protocol):
    """The log's files in object storage."""

    async def read(self, tile: TileId) -> bytes:
        """Return a tile.

        Raises:
            NotFound: TILE_NOT_FOUND.
        """

    async def write(self, tiles: Sequence[Tile]) -> None:
        """Store tiles; they are durable when this returns."""

    async def tidy(self, tiles: Sequence[TileId]) -> None:
        """Remove the partial forms of tiles that are full now."""

    async def published(self) -> bytes | None:
        """Return the published note."""

    async def publish(self, note: bytes) -> None:
        """Put a note in place of the published one."""


class CheckpointSigner(Protocol):
    """The log's key."""

    async def keys(self) -> list[VerifierKey]:
        """Return the public keys that a checkpoint may be signed with, the latest last."""

    async def sign(self, checkpoint: Checkpoint) -> list[bytes]:
        """Return a signature line by each key that may sign."""


class PersonalBoxes(Protocol):
    """What lies sealed beside the log."""

    async def find(self, audit_id: UUID) -> tuple[bytes | None, bool]:
        """Return the box of a record, if it has one, and whether it had one that was erased."""

    async def erase(self, subject_kind: str, subject_key: bytes) -> int:
        """Take the boxes of all records of a subject away; return how many.

        The record of it, PERSONAL_ERASED, is in the same commit.
        """


class PersonalOpener(Protocol):
    """Opens what was sealed for this service."""

    async def open(self, audit_id: UUID, sealed: bytes) -> tuple[bytes, Mapping[str, str]]:
        """Return the salt and the fields."""


class RefusalLog(Protocol):
    """Takes the gateway's counts."""

    async def append(self, report_id: UUID, refusals: Sequence[Refusals]) -> None:
        """Append a report; the same one again adds nothing."""
