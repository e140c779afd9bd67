"""The right edge of a tree that grows: all that is needed to append to it and to know its root."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.tlog.merkle import EMPTY_ROOT, fold, perfect_parts, root_of
from services.common.tlog.tiles import (
    ENTRIES,
    HEIGHT,
    MAX_ENTRY_BYTES,
    WIDTH,
    Tile,
    TileId,
    pack_entries,
    pack_hashes,
)


class Frontier:
    """The partial tile of each level and the entries of the last one; at most some 100 KB.

    Appending n leaves takes O(n) hashes; the root O(log size).
    """

    def __init__(
        self, size: int = 0, levels: Sequence[list[bytes]] = (), entries: Sequence[bytes] = ()
    ) -> None:
        self._size = size
        self._levels = [list(level) for level in levels]
        self._entries = list(entries)
        assert len(self._entries) == size % WIDTH, "the entries of the last tile are missing"
        for number, level in enumerate(self._levels):
            assert len(level) == (size >> (HEIGHT * number)) % WIDTH, f"level {number} is another's"

    @property
    def size(self) -> int:
        """The leaves so far."""
        return self._size

    def copy(self) -> Frontier:
        """Return another that grows by itself."""
        return Frontier(self._size, self._levels, self._entries)

    def append(self, entry: bytes, leaf: bytes) -> list[Tile]:
        """Append an entry with its leaf's hash; return the tiles that are full by it."""
        assert len(entry) <= MAX_ENTRY_BYTES, "an entry has at most 65,535 bytes"
        self._entries.append(entry)
        full = []
        if len(self._entries) == WIDTH:
            index = self._size // WIDTH
            full.append(Tile(TileId(ENTRIES, index), pack_entries(self._entries)))
            self._entries = []
        number, carried = 0, leaf
        while True:
            if number == len(self._levels):
                self._levels.append([])
            level = self._levels[number]
            level.append(carried)
            if len(level) < WIDTH:
                break
            index = self._size >> (HEIGHT * (number + 1))
            full.append(Tile(TileId(number, index), pack_hashes(level)))
            carried = root_of(level)
            self._levels[number] = []
            number += 1
        self._size += 1
        return full

    def partial_tiles(self) -> list[Tile]:
        """Return the tiles that are not full, as they are now."""
        tiles = []
        if self._entries:
            index = self._size // WIDTH
            at = TileId(ENTRIES, index, len(self._entries))
            tiles.append(Tile(at, pack_entries(self._entries)))
        for number, level in enumerate(self._levels):
            if level:
                index = self._size >> (HEIGHT * (number + 1))
                tiles.append(Tile(TileId(number, index, len(level)), pack_hashes(level)))
        return tiles

    def last_hashes(self) -> list[bytes]:
        """Return the leaf hashes of the last, partial tile."""
        return list(self._levels[0]) if self._levels else []

    def root(self) -> bytes:
        """Return the tree's root."""
        if self._size == 0:
            return EMPTY_ROOT
        parts = []
        for level in reversed(self._levels):
            parts += [root_of(level[start:end]) for start, end in perfect_parts(0, len(level))]
        return fold(parts)
