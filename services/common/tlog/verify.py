"""Verification of a whole log from a copy of its files, with nothing but a public key.

From the signed root down: the right edge must add up to the root, each tile to its hash in the tile
above, each entry to its hash in the lowest tile. So what is wrong is named exactly.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.common.tlog.merkle import EMPTY_ROOT, fold, leaf_hash, perfect_parts, root_of
from services.common.tlog.note import Checkpoint, VerifierKey, open_checkpoint
from services.common.tlog.proof import Nodes
from services.common.tlog.tiles import (
    ENTRIES,
    HEIGHT,
    WIDTH,
    TileId,
    levels_of,
    tile_at,
    tiles_of,
    unpack_entries,
    unpack_hashes,
)

CHECKPOINT_PATH = "checkpoint"

Read = Callable[[str], Awaitable[bytes | None]]
"""Returns the file at a path of the log, None when there is none."""


class LogError(Exception):
    """A log is not what its checkpoint says; `reason` is UPPER_SNAKE, `path` the file at fault.

    CHECKPOINT_MISSING, TILE_MISSING, ENTRIES_MISSING: a file is not there.
    TILE_MALFORMED, ENTRIES_MALFORMED: a file is cut or has another number of hashes or entries.
    ROOT_WRONG: the right edge of the tree does not add up to the signed root.
    TILE_REWRITTEN: a tile is not the one that was signed.
    ENTRY_REWRITTEN: an entry is not the one that was signed; `index` says which.
    LOG_SHRUNK: the checkpoint is smaller than the one that was saved.
    LOG_FORKED: the log does not begin with what was signed in the one that was saved.
    """

    def __init__(
        self, reason: str, message: str, *, path: str = "", index: int | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.path = path
        self.index = index


@dataclass(frozen=True)
class Verified:
    """A log that is what its checkpoint says; `entries` were read and hashed, 0 without them."""

    checkpoint: Checkpoint
    note: bytes
    entries: int


async def verify_log(
    read: Read,
    keys: Sequence[VerifierKey],
    *,
    earlier: Checkpoint | None = None,
    with_entries: bool = True,
    visit: Callable[[int, bytes], None] = lambda index, entry: None,
) -> Verified:
    """Verify all of a log.

    Args:
        read: gives the log's files.
        keys: of the log; more than one while a key is replaced.
        earlier: a checkpoint that was saved before; the log must begin with that tree.
        with_entries: also read and hash each entry; else only the tree.
        visit: called with each entry that was found right and its index.

    Raises:
        NoteError: the checkpoint is not one of this log.
        LogError: see there.
    """
    note = await read(CHECKPOINT_PATH)
    if note is None:
        raise LogError("CHECKPOINT_MISSING", "There is no checkpoint.", path=CHECKPOINT_PATH)
    checkpoint = open_checkpoint(note, keys)
    if earlier is not None and checkpoint.size < earlier.size:
        raise LogError(
            "LOG_SHRUNK",
            f"The log had {earlier.size} records when the checkpoint was saved, and now has"
            f" {checkpoint.size}.",
            path=CHECKPOINT_PATH,
        )
    tree = _Tree(read, checkpoint)
    await tree.check_edge()
    if earlier is not None:
        await tree.check_begins_with(earlier)
    await tree.check_tiles()
    entries = await tree.check_entries(visit) if with_entries else 0
    return Verified(checkpoint, note, entries)


class _Tree:
    def __init__(self, read: Read, checkpoint: Checkpoint) -> None:
        self._read = read
        self._checkpoint = checkpoint
        self._size = checkpoint.size
        # The last tile of each level, which is read again and again.
        self._kept: dict[int, tuple[TileId, list[bytes]]] = {}

    async def check_edge(self) -> None:
        """The last tiles of all levels must add up to the signed root."""
        parts = []
        for level in reversed(range(levels_of(self._size))):
            count = (self._size >> (HEIGHT * level)) % WIDTH
            if count:
                tile = tile_at(level, (self._size >> (HEIGHT * (level + 1))), self._size)
                hashes = await self._hashes(tile)
                parts += [root_of(hashes[start:end]) for start, end in perfect_parts(0, count)]
        if (fold(parts) if parts else EMPTY_ROOT) != self._checkpoint.root:
            raise LogError(
                "ROOT_WRONG", "The tree does not have the signed root.", path=CHECKPOINT_PATH
            )

    async def check_begins_with(self, earlier: Checkpoint) -> None:
        async def read(tile: TileId) -> bytes:
            return b"".join(await self._hashes(tile))

        if earlier.origin != self._checkpoint.origin or (
            await Nodes(self._size, read).root(earlier.size) != earlier.root
        ):
            raise LogError(
                "LOG_FORKED",
                f"The first {earlier.size} records are not those of the saved checkpoint.",
                path=CHECKPOINT_PATH,
            )

    async def check_tiles(self) -> None:
        """Each full tile must have the hash that stands in the tile above it."""
        for level in reversed(range(levels_of(self._size))):
            for tile in tiles_of(level, self._size):
                if tile.width == WIDTH:
                    above = tile_at(level + 1, tile.index // WIDTH, self._size)
                    signed = (await self._hashes(above))[tile.index % WIDTH]
                    if root_of(await self._hashes(tile)) != signed:
                        raise LogError(
                            "TILE_REWRITTEN", "A tile is not the one signed.", path=tile.path
                        )

    async def check_entries(self, visit: Callable[[int, bytes], None]) -> int:
        """Each entry must have the hash that stands in the lowest level."""
        index = 0
        for tile in tiles_of(ENTRIES, self._size):
            hashes = await self._hashes(tile_at(0, tile.index, self._size))
            for entry, signed in zip(await self._entries(tile), hashes, strict=True):
                if leaf_hash(entry) != signed:
                    raise LogError(
                        "ENTRY_REWRITTEN",
                        f"Record {index} is not the one signed.",
                        path=tile.path,
                        index=index,
                    )
                visit(index, entry)
                index += 1
        return index

    async def _hashes(self, tile: TileId) -> list[bytes]:
        kept = self._kept.get(tile.level)
        if kept is not None and kept[0] == tile:
            return kept[1]
        data = await self._file(tile, "TILE_MISSING")
        try:
            hashes = unpack_hashes(data)
        except ValueError:
            hashes = []
        if len(hashes) < tile.width:
            raise LogError("TILE_MALFORMED", "A tile is cut.", path=tile.path)
        self._kept[tile.level] = (tile, hashes[: tile.width])
        return hashes[: tile.width]

    async def _entries(self, tile: TileId) -> list[bytes]:
        data = await self._file(tile, "ENTRIES_MISSING")
        try:
            entries = unpack_entries(data)
        except ValueError:
            entries = []
        if len(entries) < tile.width:
            raise LogError(
                "ENTRIES_MALFORMED", "A file of entries is cut or changed.", path=tile.path
            )
        return entries[: tile.width]

    async def _file(self, tile: TileId, missing: str) -> bytes:
        data = await self._read(tile.path)
        if data is None and tile.width < WIDTH:
            # A partial tile may go once the full one, which begins with it, is there.
            data = await self._read(TileId(tile.level, tile.index).path)
        if data is None:
            raise LogError(missing, "A file of the log is missing.", path=tile.path)
        return data
