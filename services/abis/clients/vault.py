"""The data keys of references, answers and snapshots."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol
from uuid import UUID

from services.abis import convert
from services.abis.domain.reference import StoredReference, Template
from services.common.envelope import (
    Aad,
    DataKeyCache,
    DataKeys,
    Envelope,
    open_,
    seal,
    wrapped_key,
)
from services.common.vault import DataKey, PublicKeys, version_of

KEY: Final = "core/transit/bio-reference"
TABLE: Final = "reference"
REQUEST_TABLE: Final = "request"
SEGMENT_REFERENCES: Final = 1_000
# As long as any other data key is kept in clear.
SEGMENT_S: Final = 300.0
_VERSION: Final = 1


class SegmentVault(DataKeys, Protocol):
    """The part of the vault client that is needed here."""

    async def public_keys(self, key: str, *, fresh: bool = False) -> PublicKeys:
        """Return a key's versions."""
        ...


class SegmentKeys:
    """See ports.Keys.

    A segment is up to 1,000 references, or five minutes of them, under one data key; so the
    restart of a full service asks Vault once for a thousand references. It ends, too, when the
    key that wraps its data key is rotated.
    """

    def __init__(
        self, vault: SegmentVault, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
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

    async def open_all(self, references: Sequence[StoredReference]) -> list[list[Template]]:
        """Undo seal."""
        wrapped = [wrapped_key(each.sealed) for each in references]
        keys = {each: await self._cache.unwrap(KEY, each) for each in dict.fromkeys(wrapped)}
        if len(references) == 1:
            return [_open(references[0], keys)]
        return await asyncio.to_thread(lambda: [_open(each, keys) for each in references])

    async def seal_answer(self, request_id: UUID, answer: bytes) -> bytes:
        """Encrypt the answer to a request."""
        datakey = await self._present()
        return seal(datakey, answer, Aad(REQUEST_TABLE, request_id.bytes, _VERSION))

    async def open_answer(self, request_id: UUID, sealed: bytes) -> bytes:
        """Undo seal_answer."""
        key = await self._cache.unwrap(KEY, wrapped_key(sealed))
        return open_(key, sealed, Aad(REQUEST_TABLE, request_id.bytes, _VERSION))

    async def _present(self) -> DataKey:
        over = self._left <= 0 or self._monotonic() >= self._ends_at_s
        if self._segment is None or over or await self._is_rotated(self._segment):
            self._segment = await self._vault.datakey(KEY)
            self._left = SEGMENT_REFERENCES
            self._ends_at_s = self._monotonic() + SEGMENT_S
        self._left -= 1
        return self._segment

    async def _is_rotated(self, segment: DataKey) -> bool:
        newest = (await self._vault.public_keys(KEY)).latest
        return version_of(segment.wrapped) < newest


def snapshot_envelope(vault: DataKeys) -> Envelope:
    """Return what a snapshot's list of segments is sealed with."""
    return Envelope(vault, KEY)


def _open(reference: StoredReference, keys: Mapping[str, bytes]) -> list[Template]:
    aad = Aad(TABLE, reference.reference_id.bytes, _VERSION)
    sealed = reference.sealed
    return convert.templates_from_bytes(open_(keys[wrapped_key(sealed)], sealed, aad))
