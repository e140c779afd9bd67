"""An adjudicator looks at a record."""

from __future__ import annotations

from services.common.errors import NotFound
from services.identity.domain.record import Record
from services.identity.ports import Keys, Store


class GetRecord:
    """Opens the record that a registration led to; each look is audited."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    async def __call__(self, registration_id: str) -> Record:
        """Return the record.

        Raises:
            NotFound: IDENTITY_NOT_FOUND.
        """
        async with self._store.transaction() as tx:
            identity = await tx.identity_of_registration(registration_id)
            if identity is None:
                raise NotFound("IDENTITY_NOT_FOUND", "The registration led to no identity.")
            await tx.audit("RECORD_VIEWED", "identity", identity.identity_id.bytes)
        return await self._keys.open_record(
            identity.sealed_record, identity.identity_id, identity.version
        )
