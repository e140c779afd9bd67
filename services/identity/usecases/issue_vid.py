"""VIDs are drawn until one is free."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID, uuid4

from services.common.errors import AlreadyExists, ResourceExhausted
from services.identity.domain.vid import OpenVid, Vid, VidPolicies, VidState, VidType
from services.identity.ports import Keys

_TRIES = 5


class IssueVid:
    """Draws VIDs and seals them; storing one is up to the caller's transaction."""

    def __init__(self, keys: Keys, draw: Callable[[], str], policies: VidPolicies) -> None:
        self._keys = keys
        self._draw = draw
        self.policies = policies

    async def draw(
        self,
        identity_id: UUID,
        type_: VidType,
        now: datetime,
        *,
        idempotency_key: str | None = None,
    ) -> OpenVid:
        """Return a new active VID that is not stored yet."""
        digits = self._draw()
        [[lookups], [published], [sealed]] = await asyncio.gather(
            self._keys.lookup_keys([digits]),
            self._keys.published_keys([digits]),
            self._keys.seal_texts([digits]),
        )
        policy = self.policies[type_]
        vid = Vid(
            vid_id=uuid4(),
            identity_id=identity_id,
            type=type_,
            state=VidState.ACTIVE,
            lookup=lookups[0],
            older=lookups[1:],
            published=published,
            sealed=sealed,
            expires_at=policy.expires_at(now),
            transactions_left=policy.max_transactions,
            idempotency_key=idempotency_key,
        )
        return OpenVid(vid, digits)

    async def until_free(
        self,
        draw: Callable[[], Awaitable[OpenVid]],
        store: Callable[[OpenVid], Awaitable[bool]],
        *,
        first: OpenVid | None = None,
    ) -> OpenVid | None:
        """Draw and store; draw again while the number is in use.

        Args:
            draw: returns a new VID, by this object's draw.
            store: one transaction; False when the VID is not needed after all, which gives None.
            first: a VID that is drawn already.

        Raises:
            ResourceExhausted: VID_SPACE_FULL, every number drawn was in use.
        """
        for attempt in range(_TRIES):
            vid = first if first is not None and attempt == 0 else await draw()
            try:
                return vid if await store(vid) else None
            except AlreadyExists as error:
                if error.reason != "VID_TAKEN":
                    raise
        raise ResourceExhausted("VID_SPACE_FULL", "Every VID drawn was in use.", retry_after_s=1.0)
