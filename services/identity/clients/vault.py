"""The service's keys in Vault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.common.audit import PersonalSealer, SealedPersonal
from services.common.envelope import Aad, Envelope, seal
from services.common.vault import VaultClient
from services.identity import convert
from services.identity.domain.identity import LookupKey, SealedForAuthentication
from services.identity.domain.record import Record

UIN = "core/transit/uin"
UIN_LOOKUP = "core/transit/uin-lookup"
RECORD = "core/transit/record"
PUBLISHED_LOOKUP = "ida/transit/id-lookup"
PUBLISHED_RECORD = "ida/transit/record"

# What a seal is bound to; authentication names the same table for what it opens.
RECORD_TABLE = "identity"
PUBLISHED_TABLE = "identity-record"


class VaultKeys:
    """See ports.Keys."""

    def __init__(self, vault: VaultClient) -> None:
        self._vault = vault
        # A record is opened to be published and to tell the individual, right after it is sealed.
        self._records = Envelope(vault, RECORD, opened_soon=True)
        self._personal = PersonalSealer(vault)

    async def lookup_keys(
        self, numbers: Sequence[str], *, version: int | None = None
    ) -> list[LookupKey]:
        """Return what UINs and VIDs are found by here; version None is the newest key."""
        return await self._hmac(UIN_LOOKUP, numbers, version)

    async def published_keys(self, numbers: Sequence[str]) -> list[LookupKey]:
        """Return what UINs and VIDs are found by in the authentication domain."""
        return await self._hmac(PUBLISHED_LOOKUP, numbers, None)

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

    async def _hmac(self, key: str, numbers: Sequence[str], version: int | None) -> list[LookupKey]:
        if not numbers:
            return []
        inputs = [number.encode() for number in numbers]
        macs = await self._vault.hmac(key, inputs, version=version)
        return [LookupKey(mac.version, mac.digest) for mac in macs]
