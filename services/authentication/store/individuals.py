"""Identities and VIDs, as identity's feed delivers them and requests find them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.authentication.domain.decision import ReplayKey
from services.authentication.domain.individual import (
    IdentityState,
    Individual,
    LookupKey,
    StoredIdentity,
    StoredVid,
    VidState,
    VidUse,
)
from services.authentication.ports import FollowedIdentities, Individuals
from services.common.batching import Batcher
from services.common.postgres import Connection, Database, Record, load_queries

QUERIES = load_queries(__package__, "queries.sql")
_MOST_AT_ONCE = 64
_ENOUGH = 16


class PostgresIndividuals(Individuals):
    """Finds; one round trip, for all who ask at once, tells of decided requests, too."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batcher = Batcher()

    async def find_by_uin(self, keys: Sequence[LookupKey], replay: ReplayKey) -> Individual | None:
        """Return whom a UIN names, found by any of its hashes."""
        row = await self._find("find_by_uin", keys, replay)
        return None if row is None else _individual(row, None)

    async def find_by_vid(self, keys: Sequence[LookupKey], replay: ReplayKey) -> Individual | None:
        """Return whom a VID names, found by any of its hashes."""
        row = await self._find("find_by_vid", keys, replay)
        if row is None:
            return None
        vid = VidUse(
            key=LookupKey(row["vid_key"], row["vid_key_version"]),
            state=VidState(row["vid_state"]),
            expires_at=row["expires_at"],
            transactions_left=row["transactions_left"],
        )
        return _individual(row, vid)

    async def count(self) -> tuple[int, int]:
        """Return how many identities and VIDs there are."""
        row = await self._database.fetchrow(QUERIES["count_followed"])
        assert row is not None
        return row["identities"], row["vids"]

    async def _find(
        self, query: str, keys: Sequence[LookupKey], replay: ReplayKey
    ) -> Record | None:
        async def send(asked: Sequence[_Asked]) -> Sequence[Record | None]:
            # One statement sees a row under one hash or another, never under none.
            flat = [
                (place, (digest, *each.replay))
                for place, each in enumerate(asked)
                for digest in each.digests
            ]
            columns = map(list, zip(*(row for _, row in flat), strict=True))
            rows = await self._database.fetch(QUERIES[query], *columns)
            found = {flat[row["place"] - 1][0]: row for row in rows}
            return [found.get(place) for place in range(len(asked))]

        item = _Asked(
            tuple(key.digest for key in keys),
            (replay.partner_id, replay.transaction_id, replay.body_hash),
        )
        [row] = await self._batcher.call(
            query, [item], send, max_items=_MOST_AT_ONCE, enough_items=_ENOUGH
        )
        return row


@dataclass(frozen=True, slots=True)
class _Asked:
    digests: tuple[bytes, ...]
    replay: tuple[str, str, bytes]


def _individual(row: Record, vid: VidUse | None) -> Individual:
    return Individual(
        identity_id=row["identity_id"],
        version=row["version"],
        sealed=row["sealed"],
        wrapped_key=row["wrapped_key"],
        state=IdentityState(row["state"]),
        vid=vid,
        replayed=row["replayed"],
    )


class PostgresFollowedIdentities(FollowedIdentities):
    """Writes what the feed says, in the transaction of the follower's position."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, identity: StoredIdentity) -> None:
        """Keep an identity; one that is not newer than what is kept is passed over."""
        await self._connection.execute(
            QUERIES["put_identity"],
            identity.identity_id,
            identity.version,
            identity.uin_key.digest,
            identity.uin_key.version,
            identity.sealed,
            identity.wrapped_key,
            identity.state.value,
        )

    async def set_state(self, identity_id: UUID, state: IdentityState) -> None:
        """Change an identity's state; one that was never published is not known here."""
        await self._connection.execute(QUERIES["set_identity_state"], identity_id, state.value)

    async def put_vid(self, vid: StoredVid) -> None:
        """Keep a VID; its count only falls."""
        await self._connection.execute(
            QUERIES["put_vid"],
            vid.key.digest,
            vid.key.version,
            vid.identity_id,
            vid.type.value,
            vid.state.value,
            vid.expires_at,
            vid.transactions_left,
        )

    async def replace_uin_key(self, identity_id: UUID, key: LookupKey) -> None:
        """Find an individual by another hash of their UIN from now on."""
        await self._connection.execute(
            QUERIES["replace_uin_key"], identity_id, key.digest, key.version
        )

    async def replace_vid_key(self, old: bytes, key: LookupKey) -> None:
        """Find a VID by another hash from now on; the old one goes on meaning it in events."""
        await self._connection.execute(QUERIES["replace_vid_key"], old, key.digest, key.version)

    async def clear(self) -> None:
        """Forget all, before the feed is followed again from its beginning."""
        await self._connection.execute(QUERIES["clear_identities"])
