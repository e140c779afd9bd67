"""Proofs from tiles: which ones a proof needs, and the proof once they are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from services.common.tlog.merkle import (
    EMPTY_ROOT,
    Range,
    consistency_path,
    fold,
    inclusion_path,
    perfect_parts,
    root_of,
)
from services.common.tlog.tiles import TileId, place_of, tile_at, unpack_hashes


class ProofError(Exception):
    """A proof does not hold; `reason` is UPPER_SNAKE."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Nodes:
    """The nodes of a tree whose tiles can be read.

    Args:
        size: of the tree as it lies there; nodes of any smaller one are in it too.
        read: returns a tile's bytes.
    """

    def __init__(self, size: int, read: Callable[[TileId], Awaitable[bytes]]) -> None:
        self._size = size
        self._read = read

    async def root(self, size: int) -> bytes:
        """Return the root of the tree as it was at a size."""
        if size == 0:
            return EMPTY_ROOT
        [root] = await self.hashes([(0, size)])
        return root

    async def leaf(self, index: int) -> bytes:
        """Return a leaf's hash."""
        [leaf] = await self.hashes([(index, index + 1)])
        return leaf

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the inclusion proof of a leaf; see merkle.inclusion_path."""
        return await self.hashes(inclusion_path(index, size))

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the consistency proof of two sizes; see merkle.consistency_path."""
        return await self.hashes(consistency_path(old, new))

    async def hashes(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the hash of each range of leaves; a tile is read once."""
        tiles: dict[TileId, list[bytes]] = {}
        found = []
        for start, end in ranges:
            parts = []
            for part in perfect_parts(start, end):
                level, index, first, last = place_of(*part)
                tile = tile_at(level, index, self._size)
                if tile not in tiles:
                    tiles[tile] = unpack_hashes(await self._read(tile))
                parts.append(root_of(tiles[tile][first:last]))
            found.append(fold(parts))
        return found
