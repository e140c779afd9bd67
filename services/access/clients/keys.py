"""Keyed hashes, sealed second factors and the certifying key, in Vault."""

from __future__ import annotations

from collections.abc import Mapping

from services.access.domain.operator import Secret
from services.common.errors import Internal
from services.common.vault import VaultClient

SECRET_KEY = "core/transit/operator"  # noqa: S105
FACTOR_KEY = "core/transit/operator-factor"
CERTIFYING_KEY = "core/transit/token-signer"


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


class VaultFactorSeal:
    """Encryption under core/transit/operator-factor.

    The operator's name is sealed with the secret, not beside it: what is sealed can be wrapped
    anew by whoever may not open it, and still is of no use in another operator's row.
    """

    def __init__(self, vault: VaultClient) -> None:
        self._vault = vault

    async def seal(self, operator_id: str, secret: bytes) -> str:
        """Return the secret encrypted, bound to its operator."""
        [sealed] = await self._vault.encrypt(FACTOR_KEY, [_bound(operator_id) + secret])
        return sealed

    async def open(self, operator_id: str, sealed: str) -> bytes:
        """Return the secret.

        Raises:
            Internal: FACTOR_MISPLACED, it is another operator's.
        """
        [opened] = await self._vault.decrypt(FACTOR_KEY, [sealed])
        if not opened.startswith(_bound(operator_id)):
            raise Internal("FACTOR_MISPLACED", "A second factor lies in another's place.")
        return opened.removeprefix(_bound(operator_id))


class VaultCertifyingKey:
    """ES256 by core/transit/token-signer."""

    def __init__(self, vault: VaultClient) -> None:
        self._vault = vault

    async def public_keys(self, *, fresh: bool = False) -> Mapping[int, bytes]:
        """Return its versions' public halves, PEM; fresh: as they are now."""
        return (await self._vault.public_keys(CERTIFYING_KEY, fresh=fresh)).keys

    async def sign(self, signed: bytes, version: int) -> bytes:
        """Return the signature, r || s, by a version."""
        [made] = await self._vault.sign(CERTIFYING_KEY, [signed], scheme="es256", version=version)
        return made.signature


def _bound(operator_id: str) -> bytes:
    # No name holds a zero byte: no name with its end is the beginning of another.
    return f"{operator_id}\0".encode()
