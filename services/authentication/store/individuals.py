"""Identities and VIDs, as identity's feed delivers them and requests find them."""

from collections.abc import Sequence
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

    async def find_by_uin(self, key: LookupKey, replay: ReplayKey) -> Individual | None:
        """Return whom a UIN names."""
        row = await self._find("find_by_uin", key, replay)
        return None if row is None else _individual(row, None)

    async def find_by_vid(self, key: LookupKey, replay: ReplayKey) -> Individual | None:
        """Return whom a VID names."""
        row = await self._find("find_by_vid", key, replay)
        if row is None:
            return None
        vid = VidUse(
            key=LookupKey(key.digest, row["vid_key_version"]),
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

    async def _find(self, query: str, key: LookupKey, replay: ReplayKey) -> Record | None:
        async def send(
            asked: Sequence[tuple[bytes, str, str, bytes]],
        ) -> Sequence[Record | None]:
            rows = await self._database.fetch(QUERIES[query], *map(list, zip(*asked, strict=True)))
            found = {row["place"]: row for row in rows}
            return [found.get(place) for place in range(1, len(asked) + 1)]

        item = (key.digest, replay.partner_id, replay.transaction_id, replay.body_hash)
        [row] = await self._batcher.call(
            query, [item], send, max_items=_MOST_AT_ONCE, enough_items=_ENOUGH
        )
        return row


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

    async def clear(self) -> None:
        """Forget all, before the feed is followed again from its beginning."""
        await self._connection.execute(QUERIES["clear_identities"])
