"""References of refused registrations leave the gallery when the refusal is final."""

from __future__ import annotations

from datetime import timedelta

from services.common.clock import Clock
from services.processing.ports import Abis, Store

_AT_ONCE = 20


class ForgetReferences:
    """Deletes references from abis.

    Args:
        appeal_s: how long after its end a refusal may be overturned.
    """

    def __init__(self, store: Store, abis: Abis, clock: Clock, *, appeal_s: float) -> None:
        self._store = store
        self._abis = abis
        self._clock = clock
        self._appeal = timedelta(seconds=appeal_s)

    async def __call__(self) -> int:
        """Delete some; return how many. Call again while it returns any."""
        ended_before = self._clock.now() - self._appeal
        async with self._store.transaction() as tx:
            found = await tx.refused_references(ended_before=ended_before, limit=_AT_ONCE)
        for registration_id, reference_id in found:
            # Idempotent, so two workers at it, or a crash before the commit, do no harm.
            await self._abis.delete(reference_id)
            async with self._store.transaction() as tx:
                await tx.forget_reference(registration_id, reference_id)
                await tx.audit("REFERENCE_WITHDRAWN", "registration", registration_id.encode())
        return len(found)
