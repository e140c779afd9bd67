"""Keyed hashes for looking up while a look-up key has several versions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from services.common.errors import InvalidArgument
from services.common.vault import Mac, PublicKeys


class LookupVault(Protocol):
    """The part of the vault client that is needed here."""

    async def public_keys(self, key: str, *, fresh: bool = False) -> PublicKeys:
        """Return a key's versions."""
        ...

    async def hmac(
        self, key: str, inputs: Sequence[bytes], *, version: int | None = None
    ) -> list[Mac]:
        """Return keyed hashes."""
        ...


class LiveMacs:
    """All hashes that a value may be stored under: by each version that is not retired.

    While a key has one live version this costs one call. The newest version is the one that
    Vault uses, never one remembered here; of the older ones at most those are missing that were
    retired, which nothing is stored under.
    """

    def __init__(self, vault: LookupVault) -> None:
        self._vault = vault

    async def all(self, key: str, inputs: Sequence[bytes]) -> list[tuple[Mac, ...]]:
        """Return each input's hashes, the newest version first."""
        if not inputs:
            return []
        newest, known = await asyncio.gather(
            self._vault.hmac(key, inputs), self._vault.public_keys(key)
        )
        made_with = newest[0].version
        # What is remembered may be older than the newest version, or newer than that hash.
        versions = range(max(known.latest, made_with), known.oldest - 1, -1)
        found = await asyncio.gather(
            *(self._at(key, inputs, each) for each in versions if each != made_with)
        )
        hashed = sorted([newest, *filter(None, found)], key=lambda macs: -macs[0].version)
        return list(zip(*hashed, strict=True))

    async def _at(self, key: str, inputs: Sequence[bytes], version: int) -> list[Mac]:
        try:
            return await self._vault.hmac(key, inputs, version=version)
        except InvalidArgument:
            # Retired a moment ago: nothing is stored under it any more.
            await self._vault.public_keys(key, fresh=True)
            return []
