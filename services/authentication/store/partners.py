"""Policies and trust anchors, as partner's feed delivers them."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from services.authentication.ports import FollowedPartners, Partners, TrustDomain
from services.common.postgres import Connection, Database, load_queries
from services.common.revocation import Name

QUERIES = load_queries(__package__, "queries.sql")


class PostgresPartners(Partners):
    """Reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def policy_document(self, policy_id: str) -> str | None:
        """Return a policy's JSON."""
        document: str | None = await self._database.fetchval(QUERIES["get_policy"], policy_id)
        return document

    async def display_name(self, partner_id: str) -> str | None:
        """Return a partner's organisation."""
        name: str | None = await self._database.fetchval(QUERIES["get_partner"], partner_id)
        return name

    async def trust_anchors(self, domain: TrustDomain) -> list[bytes]:
        """Return the trusted certificates of a domain, X.509 DER."""
        rows = await self._database.fetch(QUERIES["list_trust_anchors"], domain.value)
        return [row["certificate"] for row in rows]

    async def refusal(self, names: Sequence[Name], now: datetime) -> str | None:
        """Say why a certificate path is not to be believed, as `Revocations.refuse` does."""
        rows = await self._database.fetch(
            QUERIES["revoked_of"], [name[0] for name in names], [name[1] for name in names]
        )
        if any(row["revoked"] for row in rows):
            return "REVOKED"
        ends = [row["good_until"] for row in rows]
        return "REVOCATION_UNKNOWN" if any(end and end <= now for end in ends) else None


class PostgresFollowedPartners(FollowedPartners):
    """Writes what the feed says, in the transaction of the follower's position."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put_partner(self, partner_id: str, organisation: str) -> None:
        """Keep a partner's name."""
        await self._connection.execute(QUERIES["put_partner"], partner_id, organisation)

    async def put_policy(
        self, policy_id: str, document: str, active: bool, valid_until: datetime | None
    ) -> None:
        """Keep a policy as it is now."""
        await self._connection.execute(
            QUERIES["put_policy"], policy_id, document, active, valid_until
        )

    async def add_trust_anchor(self, domain: TrustDomain, certificate: bytes) -> None:
        """Trust a certificate authority in a domain."""
        thumbprint = hashlib.sha256(certificate).digest()
        await self._connection.execute(
            QUERIES["put_trust_anchor"], domain.value, thumbprint, certificate
        )

    async def remove_trust_anchor(self, domain: TrustDomain, certificate: bytes) -> None:
        """Trust a certificate authority no longer."""
        thumbprint = hashlib.sha256(certificate).digest()
        await self._connection.execute(QUERIES["remove_trust_anchor"], domain.value, thumbprint)

    async def revoke(
        self,
        issuer: bytes,
        added: Sequence[bytes],
        removed: Sequence[bytes],
        good_until: datetime | None,
    ) -> None:
        """Keep what changed in the revocations of one authority."""
        await self._connection.execute(QUERIES["add_revoked"], issuer, list(added))
        await self._connection.execute(QUERIES["remove_revoked"], issuer, list(removed))
        if good_until is None:
            await self._connection.execute(QUERIES["clear_revocation_state"], issuer)
        else:
            await self._connection.execute(QUERIES["put_revocation_state"], issuer, good_until)

    async def clear(self) -> None:
        """Forget all, before the feed is followed again from its beginning."""
        await self._connection.execute(QUERIES["clear_partners"])
