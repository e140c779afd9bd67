"""What is remembered of tokens, and what verifiers are told."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.access.domain.operator import Secret
from services.access.domain.signer import SignerRow
from services.access.ports import RefreshToken, TrustRows
from services.access.store import records
from services.access.store.records import QUERIES
from services.common.postgres import Database


class StoredTokens:
    """Issued, refreshed, spent and revoked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def issued(self, operator_id: str, token_id: str, how: str) -> None:
        """Record that a token is issued."""
        async with self._database.transaction() as connection:
            details = {"token_id": token_id, "how": how}
            await records.done(connection, "TOKEN_ISSUED", operator_id, details)

    async def spend_assertion(
        self, client_id: str, assertion_id: str, expires_at: datetime
    ) -> bool:
        """Take a client's assertion; false if it was taken before."""
        digest = hashlib.sha256(assertion_id.encode()).digest()
        async with self._database.transaction() as connection:
            spent = await connection.fetchval(
                QUERIES["spend_assertion"], client_id, digest, expires_at
            )
            return bool(spent)

    async def add_refresh(self, token: RefreshToken) -> None:
        """Keep a refresh token."""
        async with self._database.transaction() as connection:
            await connection.execute(
                QUERIES["add_refresh"],
                token.kept.digest,
                token.kept.version,
                token.session_id,
                token.operator_id,
                token.scope,
                token.expires_at,
                token.ends_at,
            )

    async def use_refresh(self, offered: Secret) -> RefreshToken | None:
        """Spend a refresh token; return it as it was before, None if there is none."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(QUERIES["use_refresh"], offered.digest, offered.version)
        if row is None:
            return None
        return RefreshToken(
            offered,
            row["session_id"],
            row["operator_id"],
            row["scope"],
            row["spent"],
            row["expires_at"],
            row["ends_at"],
        )

    async def end_session(self, session_id: UUID) -> None:
        """Forget a session's refresh tokens."""
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["end_session"], session_id)

    async def revoke(self, operator_id: str, token_id: str, expires_at: datetime) -> None:
        """Refuse one access token until it expires by itself."""
        async with self._database.transaction() as connection:
            await connection.execute(
                QUERIES["revoke_token"], token_id, expires_at + timedelta(minutes=1)
            )
            await connection.execute(QUERIES["trust_changed"])
            await records.done(connection, "TOKEN_REVOKED", operator_id, {"token_id": token_id})


class StoredTrust:
    """Published signers, and revocations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def version(self) -> int:
        """Return what changes whenever `rows` does."""
        return int(await self._database.fetchval(QUERIES["trust_version"]))

    async def rows(self, now: datetime) -> TrustRows:
        """Return all that still counts."""
        async with self._database.transaction() as connection:
            signers = await connection.fetch(QUERIES["signers"], now)
            certifying = await connection.fetch(QUERIES["certifying_keys"])
            tokens = await connection.fetch(QUERIES["revoked_tokens"], now)
            operators = await connection.fetch(QUERIES["revoked_operators"], now)
        return TrustRows(
            [SignerRow(**dict(row)) for row in signers],
            {row["version"]: row["seen_at"].astimezone(UTC) for row in certifying},
            frozenset(row["token_id"] for row in tokens),
            {row["operator_id"]: row["least_generation"] for row in operators},
        )

    async def add_signer(self, signer: SignerRow) -> None:
        """Publish a signer."""
        async with self._database.transaction() as connection:
            await connection.execute(
                QUERIES["add_signer"],
                signer.kid,
                signer.statement,
                signer.certified_by,
                signer.usable_from,
                signer.signs_until,
                signer.verifies_until,
            )
            await connection.execute(QUERIES["trust_changed"])
            details = {"kid": signer.kid, "certified_by": str(signer.certified_by)}
            await records.done(connection, "TOKEN_SIGNER_CERTIFIED", "", details)

    async def see_certifying_key(self, version: int, now: datetime) -> None:
        """Note since when a version is published; the first of all counts as always there."""
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["see_certifying_key"], version, now)
            await connection.execute(QUERIES["trust_changed"])

    async def forget_old(
        self, now: datetime, *, attempts_before: datetime, sources_before: datetime
    ) -> None:
        """Delete what has no effect any more."""
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["forget_old"], now, attempts_before, sources_before)
