"""Proofs: that a record is in the signed log, and that the log only grew."""

from __future__ import annotations

from uuid import UUID

from services.audit.domain.tree import Consistency, Inclusion
from services.audit.ports import Checkpoints, LogFiles, LogReader
from services.common.errors import FailedPrecondition, InvalidArgument, NotFound
from services.common.tlog import ENTRIES, WIDTH, Checkpoint, Nodes, tiles

# A record waits at most so long for the next checkpoint.
_NEXT_CHECKPOINT_S = 60


class Prove:
    """Makes proofs from the published tiles."""

    def __init__(
        self, log: LogReader, checkpoints: Checkpoints, files: LogFiles, *, origin: str
    ) -> None:
        self._log = log
        self._checkpoints = checkpoints
        self._files = files
        self._origin = origin

    async def inclusion(self, record: int | UUID, size: int) -> Inclusion:
        """Return a record and its proof in the tree of a size, 0 for the last that was signed.

        Raises:
            NotFound: RECORD_NOT_FOUND.
            FailedPrecondition: RECORD_NOT_SIGNED.
            InvalidArgument: TREE_SIZE_INVALID.
        """
        index = await self._log.index_of(record) if isinstance(record, UUID) else record
        if index is None or index >= await self._log.size():
            raise NotFound("RECORD_NOT_FOUND", "The log has no such record.")
        signed, size = await self._sizes(size)
        if index >= size:
            raise FailedPrecondition(
                "RECORD_NOT_SIGNED",
                "The tree of that size does not hold the record; the next one will.",
                metadata={"tree_size": str(size)},
                retry_after_s=_NEXT_CHECKPOINT_S,
            )
        path = await Nodes(signed, self._files.read).inclusion(index, size)
        bundle = await self._files.read(tiles.tile_at(ENTRIES, index // WIDTH, signed))
        entry = tiles.unpack_entries(bundle)[index % WIDTH]
        return Inclusion(index, size, entry, path, await self._checkpoints.note_at(size))

    async def consistency(self, old: int, new: int) -> Consistency:
        """Return the proof that the tree of size `new`, 0 for the last, begins with that of `old`.

        Raises:
            InvalidArgument: TREE_SIZE_INVALID.
        """
        signed, new = await self._sizes(new)
        if old > new:
            raise _no_size("from_size")
        nodes = Nodes(signed, self._files.read)
        return Consistency(
            Checkpoint(self._origin, old, await nodes.root(old)),
            Checkpoint(self._origin, new, await nodes.root(new)),
            await nodes.consistency(old, new),
        )

    async def _sizes(self, size: int) -> tuple[int, int]:
        """Return the signed size and the one that is meant."""
        last = await self._checkpoints.last()
        signed = 0 if last is None else last.size
        if size > signed:
            raise _no_size("tree_size")
        return signed, size or signed


def _no_size(field: str) -> InvalidArgument:
    return InvalidArgument(
        "TREE_SIZE_INVALID", "There is no signed tree of that size.", field=field
    )
