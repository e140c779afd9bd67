"""Opens what services sealed for this one."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from idmesh.audit.v1 import audit_events_pb2

from services.common.audit.personal import KEY, binding
from services.common.envelope import Envelope
from services.common.vault import VaultClient


class VaultPersonalOpener:
    """See ports.PersonalOpener."""

    def __init__(self, vault: VaultClient) -> None:
        self._envelope = Envelope(vault, KEY)

    async def open(self, audit_id: UUID, sealed: bytes) -> tuple[bytes, Mapping[str, str]]:
        """Return the salt and the fields."""
        opened = await self._envelope.open(sealed, binding(audit_id.bytes))
        personal = audit_events_pb2.Personal.FromString(opened)
        return personal.salt, dict(personal.fields)
