"""Copies a log's files to a folder; a copy that was cut short, or is older, goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from services.common.tlog import ENTRIES, WIDTH, TileId, tiles
from services.common.tlog.note import split_checkpoint
from services.common.tlog.verify import CHECKPOINT_PATH, Read
from services.local.problems import Problem

_AT_ONCE = 16


async def copy_log(read: Read, folder: Path, progress: Callable[[int, int], None]) -> int:
    """Copy what the source's checkpoint covers; the checkpoint last. Returns the log's size.

    Nothing is verified here: that is for whoever has the copy.

    Args:
        read: gives the source's files.
        folder: where they go; full tiles that are there already are not read again.
        progress: told the files done and all there are.

    Raises:
        Problem: the source lacks a file.
    """
    note = await read(CHECKPOINT_PATH)
    if note is None:
        raise Problem("The log has no checkpoint yet.", "Try again in a minute.")
    size = split_checkpoint(note).size
    wanted = list(_files(size))
    done = 0
    progress(0, len(wanted))
    for start in range(0, len(wanted), _AT_ONCE):
        lot = wanted[start : start + _AT_ONCE]
        await asyncio.gather(*(_copy(read, folder, tile) for tile in lot))
        done += len(lot)
        progress(done, len(wanted))
    _write(folder / CHECKPOINT_PATH, note)
    return size


def _files(size: int) -> Iterator[TileId]:
    for level in (*range(tiles.levels_of(size)), ENTRIES):
        yield from tiles.tiles_of(level, size)


async def _copy(read: Read, folder: Path, tile: TileId) -> None:
    if (folder / tile.path).exists():
        return
    path = tile.path
    data = await read(path)
    if data is None and tile.width < WIDTH:
        path = TileId(tile.level, tile.index).path
        data = await read(path)
    if data is None:
        raise Problem(f"The log lacks {tile.path}.", "Ask its keeper; the copy can go on later.")
    _write(folder / path, data)


def _write(place: Path, data: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = place.with_name(f"{place.name}~")
    unfinished.write_bytes(data)
    os.replace(unfinished, place)
