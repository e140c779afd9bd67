"""The service's keys in Vault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from idmesh.processing.v1 import processing_pb2

from services.common.envelope import Aad, Envelope
from services.common.rotation import LiveMacs
from services.common.vault import VaultClient
from services.processing import convert
from services.processing.domain.case import PersonView
from services.processing.ports import LookupKey, PacketKey

DEMOGRAPHIC_LOOKUP: Final = "core/transit/demographic-lookup"
CASE: Final = "core/transit/case"
_VERSION: Final = 1
_VIEW, _REASON = "adjudication_case.applicant", "adjudication_case.reason"


class VaultKeys:
    """See ports.Keys."""

    def __init__(self, vault: VaultClient) -> None:
        self._vault = vault
        self._live = LiveMacs(vault)
        self._cases = Envelope(vault, CASE)

    async def unwrap(self, key: PacketKey, wrapped: Sequence[bytes]) -> list[bytes]:
        """Return the session keys, by one request."""
        return await self._vault.rsa_decrypt(key.key_name, key.key_version, wrapped)

    async def demographic_keys(self, inputs: Sequence[bytes]) -> list[tuple[LookupKey, ...]]:
        """Return what demographic data is compared by, by each live version, newest first."""
        found = await self._live.all(DEMOGRAPHIC_LOOKUP, inputs)
        return [tuple(LookupKey(mac.version, mac.digest) for mac in macs) for macs in found]

    async def seal_inputs(self, inputs: Sequence[bytes]) -> list[str]:
        """Encrypt what demographic data is compared by, to be hashed anew after a rotation."""
        return await self._vault.encrypt(CASE, inputs)

    async def seal_view(self, case_id: UUID, view: PersonView) -> bytes:
        """Encrypt what an adjudicator will see of the applicant."""
        plain = convert.view_to_proto(view).SerializeToString(deterministic=True)
        return await self._cases.seal(plain, Aad(_VIEW, case_id.bytes, _VERSION))

    async def open_view(self, case_id: UUID, sealed: bytes) -> PersonView:
        """Undo seal_view."""
        plain = await self._cases.open(sealed, Aad(_VIEW, case_id.bytes, _VERSION))
        return convert.view_from_proto(processing_pb2.CaseRecord.FromString(plain))

    async def seal_reason(self, case_id: UUID, reason: str) -> bytes:
        """Encrypt why a case was decided so."""
        return await self._cases.seal(reason.encode(), Aad(_REASON, case_id.bytes, _VERSION))

    async def open_reason(self, case_id: UUID, sealed: bytes) -> str:
        """Undo seal_reason; no text for no bytes."""
        if not sealed:
            return ""
        return (await self._cases.open(sealed, Aad(_REASON, case_id.bytes, _VERSION))).decode()
