"""The data keys of reference segments."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from services.abis import convert
from services.abis.domain.reference import Template
from services.common.envelope import Aad, DataKeyCache, DataKeys, open_, seal, wrapped_key
from services.common.vault import DataKey

KEY: Final = "core/transit/bio-reference"
TABLE: Final = "reference"
SEGMENT_REFERENCES: Final = 1_000
# As long as any other data key is kept in clear.
SEGMENT_S: Final = 300.0
_VERSION: Final = 1


class SegmentKeys:
    """See ports.Keys.

    A segment is up to 1,000 references, or five minutes of them, under one data key; so the
    restart of a full service asks Vault once for a thousand references.
    """

    def __init__(self, vault: DataKeys, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._vault = vault
        self._cache = DataKeyCache(vault)
        self._monotonic = monotonic
        self._segment: DataKey | None = None
        self._left = 0
        self._ends_at_s = 0.0

    async def seal(self, reference_id: UUID, templates: Sequence[Template]) -> bytes:
        """Encrypt under the data key of the present segment."""
        datakey = await self._present()
        aad = Aad(TABLE, reference_id.bytes, _VERSION)
        return seal(datakey, convert.templates_to_bytes(templates), aad)

    async def open(self, reference_id: UUID, sealed: bytes) -> list[Template]:
        """Undo seal."""
        key = await self._cache.unwrap(KEY, wrapped_key(sealed))
        plain = open_(key, sealed, Aad(TABLE, reference_id.bytes, _VERSION))
        return convert.templates_from_bytes(plain)

    async def _present(self) -> DataKey:
        if self._segment is None or self._left <= 0 or self._monotonic() >= self._ends_at_s:
            self._segment = await self._vault.datakey(KEY)
            self._left = SEGMENT_REFERENCES
            self._ends_at_s = self._monotonic() + SEGMENT_S
        self._left -= 1
        return self._segment
