"""The log's key in Vault: Ed25519, each version a key of its own to those who verify."""

from __future__ import annotations

from services.common.errors import PlatformError, Unavailable
from services.common.tlog import Checkpoint, VerifierKey, signature_line
from services.common.vault import VaultClient

KEY = "core/transit/audit-checkpoint"
# The new version and the one before it sign side by side, until the old one is retired: whoever
# verifies has so long to learn the new public key.
_OVERLAP = 2


class VaultSigner:
    """See ports.CheckpointSigner."""

    def __init__(self, vault: VaultClient, *, origin: str) -> None:
        self._vault = vault
        self._origin = origin

    async def keys(self) -> list[VerifierKey]:
        """Return the public keys that a checkpoint may be signed with, the latest last."""
        found = await self._vault.public_keys(KEY)
        return [VerifierKey(self._origin, found.keys[version]) for version in sorted(found.keys)]

    async def sign(self, checkpoint: Checkpoint) -> list[bytes]:
        """Return a signature line by each key that may sign."""
        found = await self._vault.public_keys(KEY)
        lines = []
        for version in sorted(found.keys)[-_OVERLAP:]:
            try:
                [signature] = await self._vault.sign(
                    KEY, [checkpoint.text], scheme="ed25519", version=version
                )
            except PlatformError as error:
                if isinstance(error, Unavailable) or version == found.latest:
                    raise
                continue  # retired for signing, though its public key can still be read
            key = VerifierKey(self._origin, found.keys[version])
            lines.append(signature_line(key.name, key.id, signature.signature))
        return lines
