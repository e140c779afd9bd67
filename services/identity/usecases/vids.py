"""VIDs on request of their holder: made, revoked, listed."""

from __future__ import annotations

from uuid import UUID

from services.common.clock import Clock
from services.common.errors import FailedPrecondition, NotFound
from services.identity.domain.vid import OpenVid, Vid, VidState, VidType
from services.identity.ports import Keys, Store, Transaction
from services.identity.usecases.find_individual import FindIndividual, IndividualName
from services.identity.usecases.issue_vid import IssueVid

MOST_LISTED = 200


class CreateVid:
    """Makes a VID within the policy of its type."""

    def __init__(
        self, store: Store, keys: Keys, clock: Clock, find: FindIndividual, issue: IssueVid
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._find = find
        self._issue = issue

    async def __call__(
        self, name: IndividualName, type_: VidType, idempotency_key: str = ""
    ) -> OpenVid:
        """Return the new VID, or the one that an earlier call with the same key made.

        Raises:
            NotFound: INDIVIDUAL_NOT_FOUND.
            FailedPrecondition: VID_LIMIT_REACHED.
        """
        identity = await self._find(name, reason="INDIVIDUAL_NOT_FOUND")
        key = idempotency_key or None
        if earlier := await self._earlier(identity.identity_id, key):
            return earlier
        now = self._clock.now()

        async def draw() -> OpenVid:
            return await self._issue.draw(identity.identity_id, type_, now, idempotency_key=key)

        async def store(vid: OpenVid) -> bool:
            async with self._store.transaction() as tx:
                # The lock makes the count below and the insert one step.
                await tx.identity(identity.identity_id, lock=True)
                if key and await tx.vid_of_call(identity.identity_id, key):
                    return False
                await self._check_limit(tx, vid.stored)
                await tx.add_vid(vid.stored)
                await tx.publish_vid(vid.stored)
                await tx.audit(
                    "VID_ISSUED",
                    "identity",
                    identity.identity_id.bytes,
                    details={"type": type_.value},
                )
            return True

        issued = await self._issue.until_free(draw, store)
        if issued is None:
            issued = await self._earlier(identity.identity_id, key)
        assert issued is not None, "a call with this key has made one"
        return issued

    async def _check_limit(self, tx: Transaction, vid: Vid) -> None:
        active = await tx.count_active_vids(vid.identity_id, vid.type, self._clock.now())
        if active >= self._issue.policies[vid.type].max_instances:
            raise FailedPrecondition(
                "VID_LIMIT_REACHED", "The policy allows no more VIDs of this type."
            )

    async def _earlier(self, identity_id: UUID, key: str | None) -> OpenVid | None:
        if key is None:
            return None
        async with self._store.transaction() as tx:
            vid = await tx.vid_of_call(identity_id, key)
            if vid is None:
                return None
            await _audit_look(tx, vid)
        [digits] = await self._keys.open_texts([vid.sealed])
        return OpenVid(vid, digits)


class RevokeVid:
    """Revokes a VID and restores one where the policy says so."""

    def __init__(
        self, store: Store, keys: Keys, clock: Clock, find: FindIndividual, issue: IssueVid
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._find = find
        self._issue = issue

    async def __call__(self, digits: str) -> OpenVid | None:
        """Return the VID that replaces it; the same again when it is revoked already.

        Raises:
            NotFound: VID_NOT_FOUND.
        """
        vid = await self._find.vid(digits)
        if vid is None:
            await self._find.note_miss("vid")
            raise NotFound("VID_NOT_FOUND", "There is no such VID.")
        if vid.state is not VidState.ACTIVE:
            return await self._replacement(vid)
        if not self._issue.policies[vid.type].restored_when_revoked:
            await self._revoke(vid, None)
            return None

        async def draw() -> OpenVid:
            return await self._issue.draw(vid.identity_id, vid.type, self._clock.now())

        async def store(replacement: OpenVid) -> bool:
            return await self._revoke(vid, replacement.stored)

        issued = await self._issue.until_free(draw, store)
        return issued or await self._replacement(vid)

    async def _revoke(self, vid: Vid, replacement: Vid | None) -> bool:
        """Revoke; False when another call has done it."""
        async with self._store.transaction() as tx:
            present = await tx.vid(vid.vid_id, lock=True)
            assert present is not None, "VIDs are never deleted"
            if present.state is not VidState.ACTIVE:
                return False
            if replacement is not None:
                await tx.add_vid(replacement)
            await tx.change_vid(
                vid.vid_id,
                VidState.REVOKED,
                transactions_left=present.transactions_left,
                replaced_by=replacement.vid_id if replacement else None,
            )
            revoked = await tx.vid(vid.vid_id)
            assert revoked is not None
            await tx.publish_vid(revoked)
            subject = vid.identity_id.bytes
            await tx.audit("VID_REVOKED", "identity", subject, details={"type": vid.type.value})
            if replacement is not None:
                await tx.publish_vid(replacement)
                details = {"type": replacement.type.value, "restored": "true"}
                await tx.audit("VID_ISSUED", "identity", subject, details=details)
        return True

    async def _replacement(self, vid: Vid) -> OpenVid | None:
        async with self._store.transaction() as tx:
            present = await tx.vid(vid.vid_id)
            successor = (
                await tx.vid(present.replaced_by) if present and present.replaced_by else None
            )
            if successor is None:
                return None
            await _audit_look(tx, successor)
        [digits] = await self._keys.open_texts([successor.sealed])
        return OpenVid(successor, digits)


async def _audit_look(tx: Transaction, vid: Vid) -> None:
    """Record that a VID is told again that was issued before."""
    await tx.audit("VID_TOLD", "identity", vid.identity_id.bytes, details={"type": vid.type.value})


class ListVids:
    """Lists an individual's VIDs."""

    def __init__(self, store: Store, keys: Keys, find: FindIndividual) -> None:
        self._store = store
        self._keys = keys
        self._find = find

    async def __call__(self, name: IndividualName) -> list[OpenVid]:
        """Return the newest VIDs, at most MOST_LISTED.

        Raises:
            NotFound: INDIVIDUAL_NOT_FOUND.
        """
        identity = await self._find(name, reason="INDIVIDUAL_NOT_FOUND")
        async with self._store.transaction() as tx:
            vids = await tx.vids_of(identity.identity_id, limit=MOST_LISTED)
            details = {"count": str(len(vids))}
            await tx.audit("VIDS_LISTED", "identity", identity.identity_id.bytes, details=details)
        numbers = await self._keys.open_texts([vid.sealed for vid in vids])
        return [OpenVid(vid, digits) for vid, digits in zip(vids, numbers, strict=True)]
