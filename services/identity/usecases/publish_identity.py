"""A draft becomes an identity that can be used."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.common.clock import Clock
from services.common.errors import FailedPrecondition, NotFound
from services.identity.domain.identity import (
    Identity,
    IdentityState,
    LookupKey,
    SealedForAuthentication,
)
from services.identity.domain.vid import OpenVid, VidType
from services.identity.ports import Keys, Store
from services.identity.usecases.issue_vid import IssueVid


class PublishIdentity:
    """Activates a draft, gives it a perpetual VID and tells the followers."""

    def __init__(self, store: Store, keys: Keys, clock: Clock, issue_vid: IssueVid) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._issue_vid = issue_vid

    async def __call__(self, registration_id: str) -> UUID:
        """Return the identity's id; publishing what is published changes nothing.

        Raises:
            NotFound: IDENTITY_NOT_FOUND.
            FailedPrecondition: IDENTITY_NOT_DRAFT, it was never published and is no draft.
        """
        identity = await self._store.identity_of_registration(registration_id)
        if identity is None:
            raise NotFound("IDENTITY_NOT_FOUND", "The registration led to no identity.")
        if not _needs_publishing(identity):
            return identity.identity_id
        record, [uin] = await asyncio.gather(
            self._keys.open_record(identity.sealed_record, identity.identity_id, identity.version),
            self._keys.open_texts([identity.sealed_uin]),
        )
        now = self._clock.now()

        async def draw() -> OpenVid:
            return await self._issue_vid.draw(identity.identity_id, VidType.PERPETUAL, now)

        # Side by side, so that calls of Vault under one key become one.
        sealed, lookup, vid = await asyncio.gather(
            self._keys.seal_for_authentication(record, uin, identity.identity_id, identity.version),
            self._published_key(uin),
            draw(),
        )

        async def store(vid: OpenVid) -> bool:
            return await self._activate(identity.identity_id, vid, lookup, sealed, now)

        await self._issue_vid.until_free(draw, store, first=vid)
        return identity.identity_id

    async def _published_key(self, uin: str) -> LookupKey:
        # The VID's keys are asked for one turn later: let this one go with them.
        await asyncio.sleep(0)
        [lookup] = await self._keys.published_keys([uin])
        return lookup

    async def _activate(
        self,
        identity_id: UUID,
        vid: OpenVid,
        lookup: LookupKey,
        sealed: SealedForAuthentication,
        now: datetime,
    ) -> bool:
        async with self._store.transaction() as tx:
            identity = await tx.identity(identity_id, lock=True)
            assert identity is not None, "identities are never deleted"
            if not _needs_publishing(identity):
                return False
            await tx.set_state(
                identity_id, IdentityState.ACTIVATED, now, published_version=lookup.version
            )
            await tx.add_vid(vid.stored)
            activated = replace(identity, state=IdentityState.ACTIVATED, published_at=now)
            await tx.publish_identity(activated, lookup, sealed)
            await tx.publish_vid(vid.stored)
            await tx.audit("IDENTITY_PUBLISHED", "identity", identity_id.bytes)
            await tx.audit(
                "VID_ISSUED", "identity", identity_id.bytes, details={"type": vid.stored.type.value}
            )
        return True


def _needs_publishing(identity: Identity) -> bool:
    if identity.published_at is not None:
        return False
    if identity.state is not IdentityState.DRAFT:
        raise FailedPrecondition("IDENTITY_NOT_DRAFT", "The identity is not a draft.")
    return True
