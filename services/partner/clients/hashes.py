"""Keyed hashes of API keys and licences."""

from __future__ import annotations

from services.common.vault import VaultClient
from services.partner.domain.partner import KeyHash

KEY = "core/transit/api-key"


class VaultKeyHashes:
    """HMAC under core/transit/api-key."""

    def __init__(self, vault: VaultClient) -> None:
        self._vault = vault

    async def of(self, secret: str) -> KeyHash:
        """Return the hash under the newest key."""
        [mac] = await self._vault.hmac(KEY, [secret.encode()])
        return KeyHash(mac.version, mac.digest)
