"""What an act says about people: sealed where the act is, opened by the audit service alone.

A service seals with the public half of audit's key, in its own memory: no call of Vault stands in
the way of the act, and a service that is taken over cannot read what it or another one sealed. The
record in the log holds a commitment to it only: SHA-256 over the canonical bytes of Personal, which
begin with 32 random ones. Once they are erased, the commitment tells nothing.
"""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from idmesh.audit.v1 import audit_events_pb2

from services.common.envelope import Aad, box
from services.common.errors import Unavailable
from services.common.vault.types import DataKey, PublicKeys

KEY = "core/transit/audit-personal"
_SALT_BYTES = 32
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


@dataclass(frozen=True)
class SealedPersonal:
    """What a record will carry: made for the record with this id."""

    audit_id: bytes
    commitment: bytes
    sealed: bytes = field(repr=False)


class HasPublicKeys(Protocol):
    """The part of the vault client that is needed here."""

    async def public_keys(self, key: str) -> PublicKeys:
        """Return a key's versions and public halves."""
        ...


class PersonalSealer:
    """Seals with the latest public key that Vault told; while it is away, with the last known."""

    def __init__(self, vault: HasPublicKeys) -> None:
        self._vault = vault
        self._known: PublicKeys | None = None

    async def seal(self, fields: Mapping[str, str]) -> SealedPersonal:
        """Return the fields sealed, for one record.

        Raises:
            Unavailable: Vault is away and the key was never known.
        """
        try:
            self._known = await self._vault.public_keys(KEY)
        except Unavailable:
            if self._known is None:
                raise
        audit_id = uuid.uuid4().bytes
        salt = os.urandom(_SALT_BYTES)
        opened = audit_events_pb2.Personal(salt=salt, fields=fields)
        plaintext = opened.SerializeToString(deterministic=True)
        sealed = box.seal(_data_key(self._known), plaintext, binding(audit_id))
        return SealedPersonal(audit_id, hashlib.sha256(plaintext).digest(), sealed)


def binding(audit_id: bytes) -> Aad:
    """Return what the box of a record is bound to."""
    return Aad("audit.personal", audit_id, 1)


def _data_key(known: PublicKeys) -> DataKey:
    public = load_pem_public_key(known.keys[known.latest])
    assert isinstance(public, rsa.RSAPublicKey), "the key seals: it is RSA"
    key = os.urandom(32)
    wrapped = base64.b64encode(public.encrypt(key, _OAEP)).decode()
    return DataKey(key, f"vault:v{known.latest}:{wrapped}", KEY)
