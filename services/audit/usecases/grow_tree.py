"""The Merkle tree grows by what was appended, and its new root is signed.

Order: tiles are durable, then the checkpoint is signed and kept in the database, then published.
So whoever is stopped in between leaves either nothing that anyone relies on or a checkpoint whose
tiles are all there, and the next pass goes on. Nothing is signed that does not extend what was
signed last.
"""

from __future__ import annotations

from services.audit.domain.tree import LogRefused, SignedCheckpoint, StoredEntry
from services.audit.ports import Checkpoints, CheckpointSigner, LogFiles, LogReader
from services.common.errors import NotFound
from services.common.tlog import (
    ENTRIES,
    WIDTH,
    Checkpoint,
    Frontier,
    NoteError,
    Tile,
    TileId,
    leaf_hash,
    note,
    open_checkpoint,
    tiles,
)

_LOT = 2048
_EMPTY = Frontier()


class GrowTree:
    """Extends the tree to all records there are and signs it.

    Args:
        log: the records.
        checkpoints: what was signed.
        files: the tiles.
        signer: the log's key.
        origin: the log's name.
        recheck: so many signed records are compared with the signed tree in each pass, round and
            round, so that one that is rewritten in the database is noticed.
    """

    def __init__(
        self,
        log: LogReader,
        checkpoints: Checkpoints,
        files: LogFiles,
        signer: CheckpointSigner,
        *,
        origin: str,
        recheck: int,
    ) -> None:
        self._log = log
        self._checkpoints = checkpoints
        self._files = files
        self._signer = signer
        self._origin = origin
        self._recheck = recheck
        self._rechecked = 0
        self._frontier = _EMPTY

    async def __call__(self) -> Checkpoint | None:
        """Return the new checkpoint; None when there is nothing new.

        Raises:
            LogRefused: what lies here is not what was signed.
            Unavailable: database, object store or Vault; the next call goes on.
        """
        last = await self._checkpoints.last()
        signed = await self._verified(last)
        published = await self._check_published(signed)
        frontier = await self._frontier_at(signed)
        size = await self._log.size()
        if size < signed.size:
            raise LogRefused("LOG_TRUNCATED", f"{size} records where {signed.size} were signed.")
        await self._check_edge(frontier)
        await self._check_some(signed.size)
        if size == signed.size:
            if published != signed.size and last is not None:
                await self._checkpoints.publish_last(self._files.publish)
            return None
        return await self._sign(frontier, size, last)

    async def _sign(
        self, frontier: Frontier, size: int, last: SignedCheckpoint | None
    ) -> Checkpoint | None:
        grown = frontier.copy()
        await self._extend(grown, size)
        checkpoint = Checkpoint(self._origin, grown.size, grown.root())
        sealed = note.sealed(checkpoint, await self._signer.sign(checkpoint))
        open_checkpoint(sealed, await self._signer.keys())
        after = None if last is None else last.size
        if not await self._checkpoints.add(checkpoint, sealed, after=after):
            return None
        self._frontier = grown
        await self._checkpoints.publish_last(self._files.publish)
        await self._files.tidy(_filled(frontier, grown.size))
        return checkpoint

    async def _extend(self, grown: Frontier, size: int) -> None:
        while grown.size < size:
            start, end = grown.size, min(size, grown.size + _LOT)
            full: list[Tile] = []
            for entry in await self._entries(start, end):
                full += grown.append(entry.canonical, entry.leaf_hash)
            await self._files.write(full)
        await self._files.write(grown.partial_tiles())

    async def _entries(self, start: int, end: int) -> list[StoredEntry]:
        """Return records whose bytes have the hashes beside them, all of them."""
        entries = await self._log.entries(start, end)
        for place, entry in enumerate(entries, start=start):
            if entry.index != place:
                raise LogRefused("LOG_TRUNCATED", f"Record {place} is missing.", index=place)
            if leaf_hash(entry.canonical) != entry.leaf_hash:
                raise _rewritten(place)
        if len(entries) != end - start:
            place = start + len(entries)
            raise LogRefused("LOG_TRUNCATED", f"Record {place} is missing.", index=place)
        return entries

    async def _verified(self, last: SignedCheckpoint | None) -> Checkpoint:
        """Return what was signed last; the database's word for it is not enough."""
        if last is None:
            return Checkpoint(self._origin, 0, _EMPTY.root())
        try:
            signed = open_checkpoint(last.note, await self._signer.keys())
        except NoteError as error:
            unknown = error.reason == "CHECKPOINT_KEY_UNKNOWN"
            reason = error.reason if unknown else "CHECKPOINT_REWRITTEN"
            raise LogRefused(reason, str(error)) from error
        if signed != Checkpoint(self._origin, last.size, last.root):
            raise LogRefused("CHECKPOINT_REWRITTEN", "The last checkpoint was signed otherwise.")
        return signed

    async def _check_published(self, signed: Checkpoint) -> int | None:
        """Return the published size, which can only be what the database knows or before it."""
        data = await self._files.published()
        if data is None:
            return None
        try:
            published = open_checkpoint(data, await self._signer.keys())
        except NoteError as error:
            raise LogRefused("CHECKPOINT_REPLACED", str(error)) from error
        if published.size > signed.size:
            raise LogRefused(
                "LOG_SHRUNK",
                f"A tree of {published.size} was published, the database knows {signed.size}.",
            )
        if published.size == signed.size and published != signed:
            raise LogRefused("CHECKPOINT_REPLACED", "Another tree of this size was published.")
        return published.size

    async def _frontier_at(self, signed: Checkpoint) -> Frontier:
        """Return the edge of the signed tree; from its tiles where it is not at hand."""
        if self._frontier.size == signed.size and self._frontier.root() == signed.root:
            return self._frontier
        levels = []
        for level in range(tiles.levels_of(signed.size)):
            hashes = await self._edge(level, signed.size)
            levels.append(tiles.unpack_hashes(hashes))
        entries = tiles.unpack_entries(await self._edge(ENTRIES, signed.size))
        try:
            frontier = Frontier(signed.size, levels, entries)
        except AssertionError as error:
            raise LogRefused("TREE_REWRITTEN", "A tile of the signed tree is cut.") from error
        if frontier.root() != signed.root:
            raise LogRefused("TREE_REWRITTEN", "The stored tree does not have the signed root.")
        self._frontier = frontier
        return frontier

    async def _edge(self, level: int, size: int) -> bytes:
        hashes = size >> (tiles.HEIGHT * max(level, 0))
        if hashes % WIDTH == 0:
            return b""
        tile = tiles.tile_at(level, hashes // WIDTH, size)
        return await self._tile(tile)

    async def _tile(self, tile: TileId) -> bytes:
        try:
            return await self._files.read(tile)
        except NotFound as error:
            raise LogRefused("TILE_MISSING", f"{tile.path} is missing.") from error

    async def _check_edge(self, frontier: Frontier) -> None:
        """Compare the records of the last tile, the likeliest to be meddled with."""
        start = frontier.size - frontier.size % WIDTH
        for entry, signed in zip(
            await self._entries(start, frontier.size), frontier.last_hashes(), strict=True
        ):
            if entry.leaf_hash != signed:
                raise _rewritten(entry.index)

    async def _check_some(self, size: int) -> None:
        """Compare the next records with their tiles, from the beginning again at the end."""
        full = size - size % WIDTH
        start = self._rechecked if self._rechecked < full else 0
        end = min(full, start + self._recheck // WIDTH * WIDTH)
        for first in range(start, end, WIDTH):
            hashes = tiles.unpack_hashes(await self._tile(TileId(0, first // WIDTH)))
            for entry, signed in zip(
                await self._entries(first, first + WIDTH), hashes, strict=True
            ):
                if entry.leaf_hash != signed:
                    raise _rewritten(entry.index)
        self._rechecked = end


def _filled(before: Frontier, size: int) -> list[TileId]:
    """Return the tiles that were partial before and are full at a size."""
    partial = [TileId(tile.id.level, tile.id.index) for tile in before.partial_tiles()]
    return [tile for tile in partial if tile.end <= size]


def _rewritten(index: int) -> LogRefused:
    return LogRefused("RECORD_REWRITTEN", f"Record {index} is not the one signed.", index=index)
