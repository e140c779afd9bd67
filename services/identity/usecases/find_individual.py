"""From a number to the identity behind it."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.common.clock import Clock
from services.common.errors import NotFound
from services.common.ids import uin_violation, vid_violation
from services.identity.domain.identity import Identity
from services.identity.domain.vid import Vid
from services.identity.ports import Keys, Store


@dataclass(frozen=True)
class IndividualName:
    """How a caller names an individual: exactly one of UIN and VID."""

    uin: str = field(default="", repr=False)
    vid: str = field(default="", repr=False)


class FindIndividual:
    """Finds individuals by UIN or by a VID that can be used."""

    def __init__(self, store: Store, keys: Keys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock

    async def __call__(self, name: IndividualName, *, reason: str) -> Identity:
        """Return the identity; a draft is nobody's yet.

        Raises:
            NotFound: with the reason given, no individual has this UIN or active VID.
        """
        identity = await (self._by_uin(name.uin) if name.uin else self._by_vid(name.vid))
        if identity is None or identity.published_at is None:
            await self.note_miss("uin" if name.uin else "vid")
            raise NotFound(reason, "No individual is known by this number.")
        return identity

    async def note_miss(self, kind: str) -> None:
        """Record that somebody asked for a number that nobody has: who tries many is seen."""
        async with self._store.transaction() as tx:
            await tx.audit(
                "INDIVIDUAL_LOOKED_UP", "number", b"", outcome="REFUSED", details={"by": kind}
            )

    async def vid(self, digits: str) -> Vid | None:
        """Return a VID whatever its state, None where there is none."""
        if vid_violation(digits):
            return None
        [keys] = await self._keys.lookup_keys([digits])
        async with self._store.transaction() as tx:
            return await tx.vid_by_key(*keys)

    async def _by_uin(self, uin: str) -> Identity | None:
        if uin_violation(uin, len(uin)):
            return None
        [keys] = await self._keys.lookup_keys([uin])
        async with self._store.transaction() as tx:
            return await tx.identity_by_uin(*keys)

    async def _by_vid(self, digits: str) -> Identity | None:
        vid = await self.vid(digits)
        if vid is None or not vid.is_usable(self._clock.now()):
            return None
        async with self._store.transaction() as tx:
            return await tx.identity(vid.identity_id)
