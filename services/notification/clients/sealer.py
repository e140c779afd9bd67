"""Encryption by Vault that is not asked for what it has just sealed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from services.notification.ports import Sealer

# What stays in clear until it is sent, at most: what waits for longer is asked of Vault.
MOST_KEPT = 100


class KeepingSealer:
    """See ports.Sealer. An item is kept in clear until it is decrypted here once."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    async def encrypt(self, key: str, items: Sequence[bytes]) -> list[str]:
        """Return a ciphertext for each item."""
        sealed = await self._sealer.encrypt(key, items)
        for ciphertext, item in zip(sealed, items, strict=True):
            self._kept[key, ciphertext] = item
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return sealed

    async def decrypt(self, key: str, ciphertexts: Sequence[str]) -> list[bytes]:
        """Return the items."""
        kept = [self._kept.pop((key, ciphertext), None) for ciphertext in ciphertexts]
        asked = [text for text, item in zip(ciphertexts, kept, strict=True) if item is None]
        opened = iter(await self._sealer.decrypt(key, asked) if asked else [])
        return [next(opened) if item is None else item for item in kept]
