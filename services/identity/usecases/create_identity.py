"""A registration that passed gets its UIN."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

from services.common.clock import Clock
from services.common.errors import InvalidArgument, ResourceExhausted
from services.identity.domain.record import Record, is_identity_object
from services.identity.ports import Keys, Store

_TRIES = 5


class _PoolEmptyError(Exception):
    """No UIN is free; leaves the transaction, which then never happened."""


class CreateIdentity:
    """Makes a draft with a new UIN."""

    def __init__(
        self, store: Store, keys: Keys, clock: Clock, fill_pool: Callable[[], Awaitable[int]]
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._fill_pool = fill_pool

    async def __call__(self, registration_id: str, record: Record) -> UUID:
        """Return the identity's id; the same for the same registration.

        Raises:
            InvalidArgument: RECORD_MALFORMED, the demographics are no JSON object.
            ResourceExhausted: UIN_CAPACITY_REACHED.
        """
        if not is_identity_object(record.demographics):
            raise InvalidArgument(
                "RECORD_MALFORMED", "The identity object is no JSON.", field="record.demographics"
            )
        identity_id = uuid4()
        sealed = await self._keys.seal_record(record, identity_id, 1)
        for _ in range(_TRIES):
            try:
                if await self._add(identity_id, registration_id, sealed):
                    return identity_id
            except _PoolEmptyError:
                await self._fill_pool()
                continue
            # Another call for this registration was earlier.
            found = await self._existing(registration_id)
            assert found is not None, "the row that was in the way is there"
            return found
        raise ResourceExhausted(
            "UIN_POOL_EMPTY", "UINs are given out faster than drawn.", retry_after_s=1.0
        )

    async def _existing(self, registration_id: str) -> UUID | None:
        identity = await self._store.identity_of_registration(registration_id)
        return identity.identity_id if identity else None

    async def _add(self, identity_id: UUID, registration_id: str, sealed: bytes) -> bool:
        async with self._store.transaction() as tx:
            if not await tx.add_identity(identity_id, registration_id, sealed, self._clock.now()):
                return False
            if not await tx.allocate_uin(identity_id):
                raise _PoolEmptyError
            await tx.audit("UIN_ISSUED", "identity", identity_id.bytes)
        return True
