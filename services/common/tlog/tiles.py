"""Tiles: 256 hashes of one level in a file, and the entries of 256 leaves in another.

A tile of level L holds hashes of perfect subtrees of 256^L leaves. The last tile of a level may be
partial, and its path says how many hashes it holds. Source: C2SP tlog-tiles.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.common.tlog.merkle import HASH_BYTES, root_of

HEIGHT = 8
WIDTH = 1 << HEIGHT
ENTRIES = -1
"""The "level" of the files that hold the entries themselves."""
# 256^8 leaves are more than a 63-bit index can count.
_MOST_LEVELS = 8
MAX_ENTRY_BYTES = 0xFFFF
_LENGTH = struct.Struct(">H")
_PATH = re.compile(r"tile/(entries|[0-7])/((?:x\d{3}/){0,6}\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class TileId:
    """Which tile: its level (ENTRIES for entries), its number in the level, hashes in it."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it lies, such as tile/0/x001/234.p/17."""
        digits = f"{self.index % 1000:03d}"
        rest = self.index // 1000
        while rest:
            digits = f"x{rest % 1000:03d}/{digits}"
            rest //= 1000
        level = "entries" if self.level == ENTRIES else str(self.level)
        part = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{digits}{part}"

    @property
    def end(self) -> int:
        """The leaves that must be there before the tile can be."""
        return (self.index * WIDTH + self.width) << (HEIGHT * max(self.level, 0))


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile and its bytes."""

    id: TileId
    data: bytes


def parse_path(path: str) -> TileId:
    """Return the tile that lies at a path.

    Raises:
        ValueError: none lies there.
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError("this is not the path of a tile")
    level, digits, width = found.groups()
    number = int(digits.replace("x", "").replace("/", ""))
    tile = TileId(
        ENTRIES if level == "entries" else int(level), number, int(width) if width else WIDTH
    )
    if tile.path != path:
        raise ValueError("this is not the path of a tile")
    return tile


def tile_at(level: int, index: int, size: int) -> TileId:
    """Return a tile as wide as it is in a tree of so many leaves."""
    hashes = size >> (HEIGHT * max(level, 0))
    return TileId(level, index, min(WIDTH, hashes - index * WIDTH))


def levels_of(size: int) -> int:
    """Return how many levels of tiles a tree of so many leaves has."""
    return next(level for level in range(_MOST_LEVELS + 1) if size >> (HEIGHT * level) == 0)


def tiles_of(level: int, size: int) -> Iterator[TileId]:
    """Yield the tiles of a level in a tree of so many leaves; the last may be partial."""
    hashes = size >> (HEIGHT * max(level, 0))
    for index in range(-(-hashes // WIDTH)):
        yield tile_at(level, index, size)


def place_of(start: int, end: int) -> tuple[int, int, int, int]:
    """Return where a perfect subtree's hash is found: tile level and index, first and last hash."""
    height = (end - start).bit_length() - 1
    level = height // HEIGHT
    first = start >> (HEIGHT * level)
    count = 1 << (height % HEIGHT)
    return level, first // WIDTH, first % WIDTH, first % WIDTH + count


def pack_hashes(hashes: Sequence[bytes]) -> bytes:
    """Return a tile's bytes."""
    return b"".join(hashes)


def unpack_hashes(data: bytes) -> list[bytes]:
    """Return a tile's hashes.

    Raises:
        ValueError: it is cut in the middle of one.
    """
    if len(data) % HASH_BYTES:
        raise ValueError("a tile ends within a hash")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def tile_root(data: bytes) -> bytes:
    """Return the hash of a full tile in the level above."""
    return root_of(unpack_hashes(data))


def pack_entries(entries: Sequence[bytes]) -> bytes:
    """Return the bytes of entries in a file: each with its length (u16, big-endian) before it."""
    return b"".join(part for each in entries for part in (_LENGTH.pack(len(each)), each))


def unpack_entries(data: bytes) -> list[bytes]:
    """Return the entries of a file.

    Raises:
        ValueError: it is cut.
    """
    entries, at = [], 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise ValueError("entries end within a length")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        entry = data[at : at + length]
        if len(entry) != length:
            raise ValueError("entries end within an entry")
        entries.append(entry)
        at += length
    return entries
