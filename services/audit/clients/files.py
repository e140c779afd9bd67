"""The log's files in object storage, in the layout of C2SP tlog-tiles."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from services.common.errors import AlreadyExists, NotFound
from services.common.objects import ObjectStore
from services.common.telemetry import get_logger
from services.common.tlog import WIDTH, Tile, TileId

CHECKPOINT = "checkpoint"
_LOG = get_logger("audit.files")
_AT_ONCE = 16
_CACHED = 512


class ObjectFiles:
    """See ports.LogFiles."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._cache: OrderedDict[TileId, bytes] = OrderedDict()

    async def read(self, tile: TileId) -> bytes:
        """Return a tile.

        Raises:
            NotFound: TILE_NOT_FOUND.
        """
        cached = self._cache.get(tile)
        if cached is not None:
            self._cache.move_to_end(tile)
            return cached
        try:
            data = await self._objects.get(tile.path)
        except NotFound as error:
            raise NotFound("TILE_NOT_FOUND", "The log has no such file.") from error
        self._remember(tile, data)
        return data

    async def write(self, tiles: Sequence[Tile]) -> None:
        """Store tiles; they are durable when this returns."""
        for start in range(0, len(tiles), _AT_ONCE):
            await asyncio.gather(*map(self._write, tiles[start : start + _AT_ONCE]))

    async def tidy(self, tiles: Sequence[TileId]) -> None:
        """Remove the partial forms of tiles that are full now."""
        for tile in tiles:
            keys = [key async for key in self._objects.list(f"{tile.path}.p/")]
            for key in keys:
                await self._objects.delete(key)

    async def published(self) -> bytes | None:
        """Return the published note."""
        try:
            return await self._objects.get(CHECKPOINT)
        except NotFound:
            return None

    async def publish(self, note: bytes) -> None:
        """Put a note in place of the published one."""
        await self._objects.replace(CHECKPOINT, note)

    async def _write(self, tile: Tile) -> None:
        try:
            await self._objects.put_once(tile.id.path, tile.data)
        except AlreadyExists:
            # Of a tree that was never signed: only tiles beyond the last checkpoint are written.
            _LOG.warning("unsigned_tile_replaced", path=tile.id.path)
            await self._objects.replace(tile.id.path, tile.data)
            self._cache.pop(tile.id, None)

    def _remember(self, tile: TileId, data: bytes) -> None:
        if tile.width == WIDTH:
            self._cache[tile] = data
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
