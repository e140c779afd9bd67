"""Tiles: their paths, their growth, and proofs read back from them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.tlog import Frontier, Nodes, TileId, leaf_hash, merkle, root_of, tiles
from services.common.tlog.tiles import ENTRIES


def entry(number: int) -> bytes:
    return b"entry %d" % number


def grown(size: int, frontier: Frontier | None = None) -> tuple[Frontier, dict[str, bytes]]:
    """Return a tree of so many entries and its files, those of the last, partial tiles included."""
    frontier = frontier or Frontier()
    files = {}
    for number in range(frontier.size, size):
        for tile in frontier.append(entry(number), leaf_hash(entry(number))):
            files[tile.id.path] = tile.data
    for tile in frontier.partial_tiles():
        files[tile.id.path] = tile.data
    return frontier, files


def nodes(size: int, files: dict[str, bytes]) -> Nodes:
    async def read(tile: TileId) -> bytes:
        return files[tile.path]

    return Nodes(size, read)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (TileId(0, 0), "tile/0/000"),
        (TileId(0, 1_234_067), "tile/0/x001/x234/067"),
        (TileId(3, 5, 17), "tile/3/005.p/17"),
        (TileId(ENTRIES, 1_000, 255), "tile/entries/x001/000.p/255"),
    ],
)
def test_a_path_names_one_tile_and_a_tile_one_path(tile: TileId, path: str) -> None:
    assert tile.path == path
    assert tiles.parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0", "tile/8/000", "tile/0/x000/001", "tile/0/000.p/0", "tile/0/000.p/256",
        "tile/0/000.p/05", "tile/0/x001", "tile/0/001/002", "tile/data/000", "tile/0/../000",
        "tile/0/٠٠٠", "tile/0/000\n", "/tile/0/000",
    ],
)  # fmt: skip
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path of a tile"):
        tiles.parse_path(path)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 70_000))
def test_files_are_those_that_the_layout_names_and_the_root_is_the_trees(size: int) -> None:
    frontier, files = grown(size)
    assert frontier.root() == root_of([leaf_hash(entry(number)) for number in range(size)])
    levels = [ENTRIES, *range(tiles.levels_of(size))]
    named = [tile for level in levels for tile in tiles.tiles_of(level, size)]
    assert {tile.path for tile in named} == set(files)
    assert all(tile.end <= size for tile in named)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2_000), st.integers(0, 2_000))
def test_a_tree_that_goes_on_from_its_edge_is_the_tree_grown_at_once(one: int, more: int) -> None:
    first, _ = grown(one)
    again, files = grown(one + more, first.copy())
    assert first.size == one
    whole, all_files = grown(one + more)
    assert again.root() == whole.root()
    assert files.items() <= all_files.items()


_SIZE = 66_000
_FRONTIER, _FILES = grown(_SIZE)


@settings(deadline=None, max_examples=100)
@given(st.data())
async def test_proofs_are_read_from_tiles_for_any_earlier_size(data: st.DataObject) -> None:
    reader = nodes(_SIZE, _FILES)
    size = data.draw(st.integers(1, _SIZE))
    index = data.draw(st.integers(0, size - 1))
    root = await reader.root(size)
    leaf = leaf_hash(entry(index))
    assert await reader.leaf(index) == leaf
    path = await reader.inclusion(index, size)
    assert merkle.root_from_inclusion(leaf, index, size, path) == root
    proof = await reader.consistency(size, _SIZE)
    assert merkle.is_consistent(size, _SIZE, root, _FRONTIER.root(), proof)


def test_entries_come_back_and_a_cut_is_noticed() -> None:
    entries = [b"", b"a", b"b" * 65_535]
    packed = tiles.pack_entries(entries)
    assert tiles.unpack_entries(packed) == entries
    for cut in (1, 3, 4, len(packed) - 1):
        with pytest.raises(ValueError, match="end within"):
            tiles.unpack_entries(packed[:cut])
    with pytest.raises(ValueError, match="within a hash"):
        tiles.unpack_hashes(b"\0" * 33)
