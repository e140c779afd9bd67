"""What the use cases need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.common.audit import SealedPersonal
from services.identity.domain.identity import (
    Counts,
    Identity,
    IdentityState,
    LookupKey,
    SealedForAuthentication,
    SealedNumber,
)
from services.identity.domain.record import Contact, Record
from services.identity.domain.vid import Vid, VidState, VidType


class Keys(Protocol):
    """Cryptography; every call may raise Unavailable, VAULT_UNAVAILABLE or VAULT_SEALED."""

    async def lookup_keys(self, numbers: Sequence[str]) -> list[tuple[LookupKey, ...]]:
        """Return what UINs and VIDs are found by here, by each live version, newest first."""
        ...

    async def published_keys(self, numbers: Sequence[str]) -> list[LookupKey]:
        """Return what UINs and VIDs are found by in the authentication domain."""
        ...

    async def seal_texts(self, texts: Sequence[str]) -> list[str]:
        """Encrypt short texts: numbers, reasons."""
        ...

    async def open_texts(self, sealed: Sequence[str]) -> list[str]:
        """Undo seal_texts."""
        ...

    async def seal_for_audit(self, fields: Mapping[str, str]) -> SealedPersonal:
        """Seal what an audit record says about people, so that audit alone can open it."""
        ...

    async def seal_record(self, record: Record, identity_id: UUID, version: int) -> bytes:
        """Encrypt a record under a new data key, bound to its identity and version."""
        ...

    async def open_record(self, sealed: bytes, identity_id: UUID, version: int) -> Record:
        """Undo seal_record."""
        ...

    async def seal_for_authentication(
        self, record: Record, uin: str, identity_id: UUID, version: int
    ) -> SealedForAuthentication:
        """Encrypt a record so that the authentication domain alone can open it."""
        ...


class Transaction(Protocol):
    """One transaction: what it changes, publishes and audits is there together or not at all."""

    async def identity_of_registration(self, registration_id: str) -> Identity | None:
        """Return the identity that a registration led to."""
        ...

    async def identity_by_uin(self, *keys: LookupKey) -> Identity | None:
        """Return the identity that holds a UIN, found by any of its hashes."""
        ...

    async def identity(self, identity_id: UUID, *, lock: bool = False) -> Identity | None:
        """Return an identity; lock keeps others from changing it until the end."""
        ...

    async def add_identity(
        self, identity_id: UUID, registration_id: str, sealed_record: bytes, now: datetime
    ) -> bool:
        """Add a draft of version 1; False when the registration has an identity already."""
        ...

    async def allocate_uin(self, identity_id: UUID) -> bool:
        """Give a free UIN; never waits for another allocation. False when none is free."""
        ...

    async def set_state(
        self,
        identity_id: UUID,
        state: IdentityState,
        now: datetime,
        *,
        published_version: int | None = None,
    ) -> None:
        """Change the state; the first activation is also the publication.

        published_version: of the key that authentication is told the UIN's hash by.
        """
        ...

    async def note_reason(
        self, identity_id: UUID, state: IdentityState, sealed_reason: str, now: datetime
    ) -> None:
        """Keep why the state was changed."""
        ...

    async def mark_notified(self, identity_id: UUID, now: datetime) -> None:
        """Keep that the individual's message was accepted for sending."""
        ...

    async def add_uins(self, numbers: Sequence[SealedNumber]) -> int:
        """Add free UINs; those drawn before are passed over. Return how many were new."""
        ...

    async def counts(self) -> Counts:
        """Count the numbers."""
        ...

    async def free_uins(self, most: int) -> int:
        """Count the free UINs, at most `most`."""
        ...

    async def add_vid(self, vid: Vid) -> None:
        """Add a VID.

        Raises:
            AlreadyExists: VID_TAKEN, another VID has this look-up key; draw again.
        """
        ...

    async def vid_by_key(self, *keys: LookupKey) -> Vid | None:
        """Return the VID with any of these look-up keys."""
        ...

    async def vid_by_published_key(self, key: LookupKey) -> Vid | None:
        """Return the VID that authentication knows by a key; locked until the end."""
        ...

    async def vid(self, vid_id: UUID, *, lock: bool = False) -> Vid | None:
        """Return a VID."""
        ...

    async def vids_of(self, identity_id: UUID, *, limit: int) -> list[Vid]:
        """Return an individual's VIDs, newest first."""
        ...

    async def vid_of_call(self, identity_id: UUID, idempotency_key: str) -> Vid | None:
        """Return the VID that an earlier call with this key made."""
        ...

    async def count_active_vids(self, identity_id: UUID, type_: VidType, now: datetime) -> int:
        """Count the VIDs of a type that can be used now."""
        ...

    async def change_vid(
        self,
        vid_id: UUID,
        state: VidState,
        *,
        transactions_left: int | None = None,
        replaced_by: UUID | None = None,
    ) -> None:
        """Change a VID's state, uses left and successor."""
        ...

    async def ended_vids(self, now: datetime, *, limit: int) -> list[Vid]:
        """Lock and return active VIDs whose time is over, passing over those locked."""
        ...

    async def publish_identity(
        self, identity: Identity, uin: LookupKey, record: SealedForAuthentication
    ) -> None:
        """Tell the followers that an individual can be authenticated."""
        ...

    async def publish_state(
        self, identity_id: UUID, state: IdentityState, changed_at: datetime
    ) -> None:
        """Tell the followers of a state."""
        ...

    async def publish_vid(self, vid: Vid) -> None:
        """Tell the followers of a VID as it is now."""
        ...

    async def audit(
        self,
        action: str,
        subject_kind: str,
        subject_key: bytes,
        *,
        outcome: str = "SUCCEEDED",
        details: Mapping[str, str] | None = None,
        personal: SealedPersonal | None = None,
    ) -> None:
        """Record the act; outcome is SUCCEEDED, REFUSED or FAILED."""
        ...


class Store(Protocol):
    """The service's own database."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin; commit at the end of the block, roll back when it raises."""
        ...

    async def identity_of_registration(self, registration_id: str) -> Identity | None:
        """Return the identity that a registration led to, by itself."""
        ...


class Messages(Protocol):
    """Sends messages to people."""

    async def send_uin(self, registration_id: str, contact: Contact, *, uin: str, vid: str) -> bool:
        """Hand over the message of a new UIN, once per registration.

        Returns False when the individual has no channel that messages can be sent through.
        """
        ...
