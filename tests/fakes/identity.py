"""Identity's ports in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from services.common.errors import AlreadyExists, PlatformError
from services.identity.domain.identity import (
    Counts,
    Identity,
    IdentityState,
    LookupKey,
    SealedForAuthentication,
    SealedNumber,
)
from services.identity.domain.record import Contact
from services.identity.domain.vid import Vid, VidState, VidType
from services.identity.ports import Transaction
from tests.fakes import memory


@dataclass
class Tables(memory.Tables):
    identities: dict[UUID, Identity] = field(default_factory=dict)
    uins: dict[LookupKey, tuple[SealedNumber, UUID | None]] = field(default_factory=dict)
    vids: dict[UUID, Vid] = field(default_factory=dict)
    taken: set[LookupKey] = field(default_factory=set)
    reasons: list[tuple[UUID, str]] = field(default_factory=list)


@dataclass(frozen=True)
class PublishedIdentity:
    identity: Identity
    uin: LookupKey
    record: SealedForAuthentication


class FakeTransaction(memory.AuditingTransaction, Transaction):
    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._tables = tables

    async def identity_of_registration(self, registration_id: str) -> Identity | None:
        for identity in self._tables.identities.values():
            if identity.registration_id == registration_id:
                return self._with_uin(identity)
        return None

    async def identity_by_uin(self, *keys: LookupKey) -> Identity | None:
        for key in keys:
            _, holder = self._tables.uins.get(key, (None, None))
            if holder is not None:
                return self._with_uin(self._tables.identities[holder])
        return None

    async def identity(self, identity_id: UUID, *, lock: bool = False) -> Identity | None:
        identity = self._tables.identities.get(identity_id)
        return None if identity is None else self._with_uin(identity)

    async def add_identity(
        self, identity_id: UUID, registration_id: str, sealed_record: bytes, now: datetime
    ) -> bool:
        if any(
            each.registration_id == registration_id for each in self._tables.identities.values()
        ):
            return False
        self._tables.identities[identity_id] = Identity(
            identity_id, registration_id, IdentityState.DRAFT, 1, sealed_record, ""
        )
        return True

    async def allocate_uin(self, identity_id: UUID) -> bool:
        for key, (number, holder) in self._tables.uins.items():
            if holder is None:
                self._tables.uins[key] = (number, identity_id)
                return True
        return False

    async def set_state(
        self,
        identity_id: UUID,
        state: IdentityState,
        now: datetime,
        *,
        published_version: int | None = None,
    ) -> None:
        identity = self._tables.identities[identity_id]
        published = identity.published_at
        if state is IdentityState.ACTIVATED and published is None:
            published = now
        self._tables.identities[identity_id] = replace(
            identity, state=state, published_at=published
        )

    async def note_reason(
        self, identity_id: UUID, state: IdentityState, sealed_reason: str, now: datetime
    ) -> None:
        self._tables.reasons.append((identity_id, sealed_reason))

    async def mark_notified(self, identity_id: UUID, now: datetime) -> None:
        identity = self._tables.identities[identity_id]
        if identity.notified_at is None:
            self._tables.identities[identity_id] = replace(identity, notified_at=now)

    async def add_uins(self, numbers: Sequence[SealedNumber]) -> int:
        new = [
            number
            for number in numbers
            if self._tables.taken.isdisjoint(number.lookups)
            and not any(key in self._tables.uins for key in number.lookups)
        ]
        self._tables.uins |= {number.lookup: (number, None) for number in new}
        self._tables.taken |= {key for number in numbers for key in number.older}
        return len({number.lookup for number in new})

    async def counts(self) -> Counts:
        held = sum(holder is not None for _, holder in self._tables.uins.values())
        return Counts(held, len(self._tables.uins) - held)

    async def free_uins(self, most: int) -> int:
        return min((await self.counts()).free, most)

    async def add_vid(self, vid: Vid) -> None:
        keys = {vid.lookup, *vid.older}
        if vid.lookup in self._tables.taken or any(
            each.lookup in keys for each in self._tables.vids.values()
        ):
            raise AlreadyExists("VID_TAKEN", "The drawn VID is in use.")
        self._tables.taken |= set(vid.older)
        self._tables.vids[vid.vid_id] = vid

    async def vid_by_key(self, *keys: LookupKey) -> Vid | None:
        return next((v for v in self._tables.vids.values() if v.lookup in keys), None)

    async def vid_by_published_key(self, key: LookupKey) -> Vid | None:
        return next((v for v in self._tables.vids.values() if v.published == key), None)

    async def vid(self, vid_id: UUID, *, lock: bool = False) -> Vid | None:
        return self._tables.vids.get(vid_id)

    async def vids_of(self, identity_id: UUID, *, limit: int) -> list[Vid]:
        found = [v for v in self._tables.vids.values() if v.identity_id == identity_id]
        return found[::-1][:limit]

    async def vid_of_call(self, identity_id: UUID, idempotency_key: str) -> Vid | None:
        for vid in self._tables.vids.values():
            if (vid.identity_id, vid.idempotency_key) == (identity_id, idempotency_key):
                return vid
        return None

    async def count_active_vids(self, identity_id: UUID, type_: VidType, now: datetime) -> int:
        return sum(
            (vid.identity_id, vid.type) == (identity_id, type_) and vid.is_usable(now)
            for vid in self._tables.vids.values()
        )

    async def change_vid(
        self,
        vid_id: UUID,
        state: VidState,
        *,
        transactions_left: int | None = None,
        replaced_by: UUID | None = None,
    ) -> None:
        vid = self._tables.vids[vid_id]
        self._tables.vids[vid_id] = replace(
            vid,
            state=state,
            transactions_left=transactions_left,
            replaced_by=replaced_by or vid.replaced_by,
        )

    async def ended_vids(self, now: datetime, *, limit: int) -> list[Vid]:
        return [
            vid
            for vid in self._tables.vids.values()
            if vid.state is VidState.ACTIVE and vid.expires_at is not None and vid.expires_at <= now
        ][:limit]

    async def publish_identity(
        self, identity: Identity, uin: LookupKey, record: SealedForAuthentication
    ) -> None:
        self._tables.events.append(PublishedIdentity(identity, uin, record))

    async def publish_state(
        self, identity_id: UUID, state: IdentityState, changed_at: datetime
    ) -> None:
        self._tables.events.append((identity_id, state))

    async def publish_vid(self, vid: Vid) -> None:
        self._tables.events.append(vid)

    def _with_uin(self, identity: Identity) -> Identity:
        sealed = next(
            (
                number.sealed
                for number, holder in self._tables.uins.values()
                if holder == identity.identity_id
            ),
            "",
        )
        return replace(identity, sealed_uin=sealed)


class FakeStore(memory.MemoryStore[Tables, Transaction]):
    def __init__(self) -> None:
        super().__init__(Tables(), FakeTransaction)

    async def identity_of_registration(self, registration_id: str) -> Identity | None:
        async with self.transaction() as tx:
            return await tx.identity_of_registration(registration_id)


@dataclass
class FakeMessages:
    """Accepts messages to whoever has an e-mail address, once per registration."""

    sent: dict[str, tuple[Contact, str, str]] = field(default_factory=dict)
    failure: PlatformError | None = None

    async def send_uin(self, registration_id: str, contact: Contact, *, uin: str, vid: str) -> bool:
        if self.failure is not None:
            raise self.failure
        if not contact.email:
            return False
        self.sent.setdefault(registration_id, (contact, uin, vid))
        return True
