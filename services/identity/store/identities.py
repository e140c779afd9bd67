"""Identities, UINs and VIDs in PostgreSQL, and the feed beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from services.common import audit
from services.common.errors import AlreadyExists
from services.common.feed.outbox import publish_at_end
from services.common.postgres import Connection, Database, Record, load_queries
from services.identity import convert
from services.identity.domain.identity import (
    Counts,
    Identity,
    IdentityState,
    LookupKey,
    SealedForAuthentication,
    SealedNumber,
)
from services.identity.domain.vid import Vid, VidState, VidType

QUERIES = load_queries(__package__, "queries.sql")


class PostgresStore:
    """The service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """Begin; commit at the end of the block, roll back when it raises."""
        async with self._database.transaction() as connection:
            yield PostgresTransaction(connection)

    async def identity_of_registration(self, registration_id: str) -> Identity | None:
        """Return the identity that a registration led to; one statement needs no transaction."""
        row = await self._database.fetchrow(QUERIES["identity_of_registration"], registration_id)
        return None if row is None else _identity_of(row)


class PostgresTransaction:
    """What the use cases do in one transaction; see ports.Transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def identity_of_registration(self, registration_id: str) -> Identity | None:
        """Return the identity that a registration led to."""
        return await self._identity("identity_of_registration", registration_id)

    async def identity_by_uin(self, *keys: LookupKey) -> Identity | None:
        """Return the identity that holds a UIN, found by any of its hashes."""
        return await self._identity("identity_by_uin", *_columns(keys))

    async def identity(self, identity_id: UUID, *, lock: bool = False) -> Identity | None:
        """Return an identity; lock keeps others from changing it until the end."""
        return await self._identity("lock_identity" if lock else "identity", identity_id)

    async def add_identity(
        self, identity_id: UUID, registration_id: str, sealed_record: bytes, now: datetime
    ) -> bool:
        """Add a draft of version 1; False when the registration has an identity already."""
        added = await self._connection.fetchval(
            QUERIES["add_identity"], identity_id, registration_id, sealed_record, now
        )
        return added is not None

    async def allocate_uin(self, identity_id: UUID) -> bool:
        """Give a free UIN, passing over those that others are taking."""
        taken = await self._connection.fetchval(QUERIES["allocate_uin"], identity_id)
        return taken is not None

    async def set_state(
        self,
        identity_id: UUID,
        state: IdentityState,
        now: datetime,
        *,
        published_version: int | None = None,
    ) -> None:
        """Change the state; the first activation is also the publication."""
        await self._connection.execute(
            QUERIES["set_state"], identity_id, state.value, now, published_version
        )

    async def note_reason(
        self, identity_id: UUID, state: IdentityState, sealed_reason: str, now: datetime
    ) -> None:
        """Keep why the state was changed."""
        await self._connection.execute(
            QUERIES["note_reason"], identity_id, state.value, sealed_reason, now
        )

    async def mark_notified(self, identity_id: UUID, now: datetime) -> None:
        """Keep that the individual's message was accepted for sending."""
        await self._connection.execute(QUERIES["mark_notified"], identity_id, now)

    async def add_uins(self, numbers: Sequence[SealedNumber]) -> int:
        """Add free UINs; those drawn before are passed over. Return how many were new."""
        await self._hold([number.lookups[-1] for number in numbers])
        older = [
            (place, key)
            for place, number in enumerate(numbers, start=1)
            for key in number.lookups[1:]
        ]
        return int(
            await self._connection.fetchval(
                QUERIES["add_uins"],
                [number.lookup.version for number in numbers],
                [number.lookup.digest for number in numbers],
                [number.sealed for number in numbers],
                [place for place, _ in older],
                [key.version for _, key in older],
                [key.digest for _, key in older],
            )
        )

    async def counts(self) -> Counts:
        """Count the numbers."""
        row = await self._connection.fetchrow(QUERIES["counts"])
        assert row is not None, "counts are one row"
        return Counts(identities=row["identities"], free=row["free"])

    async def free_uins(self, most: int) -> int:
        """Count the free UINs, at most `most`."""
        return int(await self._connection.fetchval(QUERIES["free_uins"], most))

    async def add_vid(self, vid: Vid) -> None:
        """Add a VID.

        Raises:
            AlreadyExists: VID_TAKEN, another VID has this look-up key; draw again.
        """
        await self._hold([(vid.lookup, *vid.older)[-1]])
        digests, versions = _columns(vid.older)
        added = await self._connection.fetchval(
            QUERIES["add_vid"],
            vid.vid_id,
            vid.identity_id,
            vid.type.value,
            vid.state.value,
            vid.lookup.version,
            vid.lookup.digest,
            vid.published.version,
            vid.published.digest,
            vid.sealed,
            vid.expires_at,
            vid.transactions_left,
            vid.idempotency_key,
            versions,
            digests,
        )
        if added is None:
            raise AlreadyExists("VID_TAKEN", "The drawn VID is in use.")

    async def vid_by_key(self, *keys: LookupKey) -> Vid | None:
        """Return the VID with any of these look-up keys."""
        return await self._vid("vid_by_key", *_columns(keys))

    async def vid_by_published_key(self, key: LookupKey) -> Vid | None:
        """Return the VID that authentication knows by a key; locked until the end."""
        return await self._vid("vid_by_published_key", key.digest, key.version)

    async def vid(self, vid_id: UUID, *, lock: bool = False) -> Vid | None:
        """Return a VID."""
        return await self._vid("lock_vid" if lock else "vid", vid_id)

    async def vids_of(self, identity_id: UUID, *, limit: int) -> list[Vid]:
        """Return an individual's VIDs, newest first."""
        rows = await self._connection.fetch(QUERIES["vids_of"], identity_id, limit)
        return [_vid_of(row) for row in rows]

    async def vid_of_call(self, identity_id: UUID, idempotency_key: str) -> Vid | None:
        """Return the VID that an earlier call with this key made."""
        return await self._vid("vid_of_call", identity_id, idempotency_key)

    async def count_active_vids(self, identity_id: UUID, type_: VidType, now: datetime) -> int:
        """Count the VIDs of a type that can be used now."""
        return int(
            await self._connection.fetchval(
                QUERIES["count_active_vids"], identity_id, type_.value, now
            )
        )

    async def change_vid(
        self,
        vid_id: UUID,
        state: VidState,
        *,
        transactions_left: int | None = None,
        replaced_by: UUID | None = None,
    ) -> None:
        """Change a VID's state, uses left and successor."""
        await self._connection.execute(
            QUERIES["change_vid"], vid_id, state.value, transactions_left, replaced_by
        )

    async def ended_vids(self, now: datetime, *, limit: int) -> list[Vid]:
        """Lock and return active VIDs whose time is over, passing over those locked."""
        rows = await self._connection.fetch(QUERIES["ended_vids"], now, limit)
        return [_vid_of(row) for row in rows]

    async def publish_identity(
        self, identity: Identity, uin: LookupKey, record: SealedForAuthentication
    ) -> None:
        """Tell the followers that an individual can be authenticated."""
        publish_at_end(self._connection, convert.identity_published(identity, uin, record))

    async def publish_state(
        self, identity_id: UUID, state: IdentityState, changed_at: datetime
    ) -> None:
        """Tell the followers of a state."""
        event = convert.identity_state_changed(identity_id, state, changed_at)
        publish_at_end(self._connection, event)

    async def publish_vid(self, vid: Vid) -> None:
        """Tell the followers of a VID as it is now."""
        publish_at_end(self._connection, convert.vid_changed(vid))

    async def audit(
        self,
        action: str,
        subject_kind: str,
        subject_key: bytes,
        *,
        outcome: str = "SUCCEEDED",
        details: Mapping[str, str] | None = None,
        personal: audit.SealedPersonal | None = None,
    ) -> None:
        """Record the act; outcome is SUCCEEDED, REFUSED or FAILED."""
        await audit.record(
            self._connection,
            action,
            subject_kind,
            subject_key,
            audit.Outcome[outcome],
            details=details,
            personal=personal,
        )

    async def _hold(self, oldest: Sequence[LookupKey]) -> None:
        # Everyone who draws a number knows the oldest version that is not retired.
        locks = sorted({int.from_bytes(key.digest[:8], "big", signed=True) for key in oldest})
        await self._connection.execute(QUERIES["hold_numbers"], locks)

    async def _identity(self, query: str, *args: object) -> Identity | None:
        row = await self._connection.fetchrow(QUERIES[query], *args)
        return None if row is None else _identity_of(row)

    async def _vid(self, query: str, *args: object) -> Vid | None:
        row = await self._connection.fetchrow(QUERIES[query], *args)
        return None if row is None else _vid_of(row)


def _identity_of(row: Record) -> Identity:
    return Identity(
        identity_id=_uuid(row["identity_id"]),
        registration_id=row["registration_id"],
        state=IdentityState(row["state"]),
        version=row["version"],
        sealed_record=row["sealed_record"],
        sealed_uin=row["sealed_uin"],
        published_at=row["published_at"],
        notified_at=row["notified_at"],
    )


def _vid_of(row: Record) -> Vid:
    return Vid(
        vid_id=_uuid(row["vid_id"]),
        identity_id=_uuid(row["identity_id"]),
        type=VidType(row["type"]),
        state=VidState(row["state"]),
        lookup=LookupKey(row["lookup_key_version"], row["lookup_key"]),
        published=LookupKey(row["published_key_version"], row["published_key"]),
        sealed=row["sealed"],
        expires_at=row["expires_at"],
        transactions_left=row["transactions_left"],
        idempotency_key=row["idempotency_key"],
        replaced_by=None if row["replaced_by"] is None else _uuid(row["replaced_by"]),
    )


def _columns(keys: Sequence[LookupKey]) -> tuple[list[bytes], list[int]]:
    return [key.digest for key in keys], [key.version for key in keys]


def _uuid(value: UUID) -> UUID:
    # asyncpg's own subclass compares equal but shows differently.
    return UUID(bytes=value.bytes)
