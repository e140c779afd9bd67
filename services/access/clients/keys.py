"""Keyed hashes and the token key in Vault."""

from __future__ import annotations

from collections.abc import Mapping

from services.access.domain.operator import Secret
from services.common.vault import VaultClient

SECRET_KEY = "core/transit/operator"  # noqa: S105
TOKEN_KEY = "core/transit/token-signer"  # noqa: S105


class VaultSecretHashes:
    """HMAC under core/transit/operator."""

    def __init__(self, vault: VaultClient) -> None:
        self._vault = vault

    async def newest(self, secret: str) -> Secret:
        """Return the hash under the newest key."""
        [mac] = await self._vault.hmac(SECRET_KEY, [secret.encode()])
        return Secret(mac.version, mac.digest)

    async def at(self, secret: str, version: int) -> Secret:
        """Return the hash under a version of the key."""
        [mac] = await self._vault.hmac(SECRET_KEY, [secret.encode()], version=version)
        return Secret(mac.version, mac.digest)


class VaultTokenSigner:
    """ES256 by core/transit/token-signer; kid is "token-signer:VERSION"."""

    def __init__(self, vault: VaultClient) -> None:
        self._vault = vault

    async def kid(self) -> str:
        """Return the id of the key that signs now."""
        keys = await self._vault.public_keys(TOKEN_KEY)
        return f"token-signer:{keys.latest}"

    async def sign(self, signed: bytes, kid: str) -> bytes:
        """Return the signature, r || s, by the key with this id."""
        version = int(kid.rpartition(":")[2])
        [made] = await self._vault.sign(TOKEN_KEY, [signed], scheme="es256", version=version)
        return made.signature

    async def public_keys(self) -> Mapping[str, bytes]:
        """Return all keys that still verify, PEM by kid."""
        keys = await self._vault.public_keys(TOKEN_KEY)
        return {f"token-signer:{version}": pem for version, pem in keys.keys.items()}
