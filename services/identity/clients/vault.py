"""The service's keys in Vault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.common.audit import PersonalSealer, SealedPersonal
from services.common.envelope import Aad, Envelope, seal
from services.common.rotation import LiveMacs
from services.common.vault import VaultClient
from services.identity import convert
from services.identity.domain.identity import LookupKey, SealedForAuthentication
from services.identity.domain.keys import (
    PUBLISHED_LOOKUP,
    PUBLISHED_RECORD,
    RECORD,
    UIN,
    UIN_LOOKUP,
)
from services.identity.domain.record import Record

# What a seal is bound to; authentication names the same table for what it opens.
RECORD_TABLE = "identity"
PUBLISHED_TABLE = "identity-record"


class VaultKeys:
    """See ports.Keys."""

    def __init__(self, vault: VaultClient) -> None:
        self._vault = vault
        self._live = LiveMacs(vault)
        # A record is opened to be published and to tell the individual, right after it is sealed.
        self._records = Envelope(vault, RECORD, opened_soon=True)
        self._personal = PersonalSealer(vault)

    async def lookup_keys(self, numbers: Sequence[str]) -> list[tuple[LookupKey, ...]]:
        """Return what UINs and VIDs are found by here, by each live version, newest first."""
        found = await self._live.all(UIN_LOOKUP, [number.encode() for number in numbers])
        return [tuple(LookupKey(mac.version, mac.digest) for mac in macs) for macs in found]

    async def published_keys(self, numbers: Sequence[str]) -> list[LookupKey]:
        """Return what UINs and VIDs are found by in the authentication domain."""
        if not numbers:
            return []
        macs = await self._vault.hmac(PUBLISHED_LOOKUP, [number.encode() for number in numbers])
        return [LookupKey(mac.version, mac.digest) for mac in macs]

    async def seal_texts(self, texts: Sequence[str]) -> list[str]:
        """Encrypt short texts: numbers, reasons."""
        return await self._vault.encrypt(UIN, [text.encode() for text in texts]) if texts else []

    async def open_texts(self, sealed: Sequence[str]) -> list[str]:
        """Undo seal_texts."""
        if not sealed:
            return []
        return [plain.decode() for plain in await self._vault.decrypt(UIN, list(sealed))]

    async def seal_for_audit(self, fields: Mapping[str, str]) -> SealedPersonal:
        """Seal what an audit record says about people, so that audit alone can open it."""
        return await self._personal.seal(fields)

    async def seal_record(self, record: Record, identity_id: UUID, version: int) -> bytes:
        """Encrypt a record under a new data key, bound to its identity and version."""
        aad = Aad(RECORD_TABLE, identity_id.bytes, version)
        return await self._records.seal(convert.record_to_bytes(record), aad)

    async def open_record(self, sealed: bytes, identity_id: UUID, version: int) -> Record:
        """Undo seal_record."""
        aad = Aad(RECORD_TABLE, identity_id.bytes, version)
        return convert.record_from_bytes(await self._records.open(sealed, aad))

    async def seal_for_authentication(
        self, record: Record, uin: str, identity_id: UUID, version: int
    ) -> SealedForAuthentication:
        """Encrypt a record so that the authentication domain alone can open it."""
        datakey = await self._vault.datakey(PUBLISHED_RECORD)
        plain = convert.authentication_record_to_bytes(record, uin)
        sealed = seal(datakey, plain, Aad(PUBLISHED_TABLE, identity_id.bytes, version))
        return SealedForAuthentication(sealed=sealed, wrapped_key=datakey.wrapped)
