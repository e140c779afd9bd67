"""UINs are drawn ahead, in blocks: one batch to Vault for many numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.common.errors import ResourceExhausted
from services.identity.domain.identity import SealedNumber
from services.identity.ports import Keys, Store

# A batch in Vault may hold 450 strings.
BLOCK = 200


class FillPool:
    """Keeps free UINs at hand.

    Args:
        draw: returns a uniformly drawn UIN.
        low: below so many free ones a block is drawn.
        limit: how many numbers may exist, given out or not.
    """

    def __init__(
        self, store: Store, keys: Keys, draw: Callable[[], str], *, low: int, limit: int
    ) -> None:
        self._store = store
        self._keys = keys
        self._draw = draw
        self._low = low
        self._limit = limit
        self._filling = asyncio.Lock()

    async def __call__(self) -> int:
        """Draw blocks until enough are free; return how many were added.

        Raises:
            ResourceExhausted: UIN_CAPACITY_REACHED, none is free and no more may be drawn.
        """
        added = 0
        async with self._filling:
            while await self._free() < self._low:
                async with self._store.transaction() as tx:
                    counts = await tx.counts()
                room = self._limit - counts.drawn
                if room <= 0:
                    if counts.free == 0:
                        raise ResourceExhausted(
                            "UIN_CAPACITY_REACHED", "No UIN of the configured length is left."
                        )
                    return added
                added += await self._add_block(min(BLOCK, room))
        return added

    async def _free(self) -> int:
        async with self._store.transaction() as tx:
            return await tx.free_uins(self._low)

    async def _add_block(self, size: int) -> int:
        drawn = list({self._draw() for _ in range(size)})
        lookups, sealed = await asyncio.gather(
            self._keys.lookup_keys(drawn), self._keys.seal_texts(drawn)
        )
        numbers = [
            SealedNumber(keys[0], text, keys[1:])
            for keys, text in zip(lookups, sealed, strict=True)
        ]
        async with self._store.transaction() as tx:
            return await tx.add_uins(numbers)
