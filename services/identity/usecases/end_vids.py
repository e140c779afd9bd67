"""VIDs end: their time is over, or their last use was made."""

from __future__ import annotations

from dataclasses import replace

from services.common.clock import Clock
from services.identity.domain.identity import LookupKey
from services.identity.domain.vid import VidState, after_use
from services.identity.ports import Store, Transaction

_AT_ONCE = 200


class ExpireVids:
    """Ends active VIDs whose time is over."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self) -> int:
        """End some; return how many. Call again while it returns any."""
        async with self._store.transaction() as tx:
            ended = await tx.ended_vids(self._clock.now(), limit=_AT_ONCE)
            for vid in ended:
                left = vid.transactions_left
                await tx.change_vid(vid.vid_id, VidState.EXPIRED, transactions_left=left)
                await tx.publish_vid(replace(vid, state=VidState.EXPIRED))
                details = {"type": vid.type.value}
                await tx.audit("VID_EXPIRED", "identity", vid.identity_id.bytes, details=details)
        return len(ended)


async def note_use(tx: Transaction, published: LookupKey) -> None:
    """Count one successful use that authentication reported, in the transaction given.

    Only the last use is told to the followers: authentication counts for itself, and a count
    that comes back late would undo a later use.
    """
    vid = await tx.vid_by_published_key(published)
    if vid is None or vid.state is not VidState.ACTIVE or vid.transactions_left is None:
        return
    state, left = after_use(vid)
    await tx.change_vid(vid.vid_id, state, transactions_left=left)
    if state is VidState.USED:
        await tx.publish_vid(replace(vid, state=state, transactions_left=left))
        details = {"type": vid.type.value}
        await tx.audit("VID_USED_UP", "identity", vid.identity_id.bytes, details=details)
