"""The directory: what changes, its feed event and its audit record commit together."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
from google.protobuf.message import Message

from services.common import audit, feed
from services.common.errors import AlreadyExists
from services.common.postgres import Connection, Database, load_queries
from services.partner.domain.partner import (
    ApiKey,
    KeyHash,
    Licence,
    Partner,
    PartnerType,
    Policy,
    Status,
    TrustDomain,
)

QUERIES = load_queries(__package__, "queries.sql")
Changed = Partner | Policy | ApiKey | Licence | tuple[TrustDomain, bytes]


class StoredDirectory:
    """The partner service's tables. `event` makes the feed event of a change."""

    def __init__(self, database: Database, event: Callable[[Changed], Message]) -> None:
        self._database = database
        self._event = event

    @asynccontextmanager
    async def change(self) -> AsyncIterator[StoredChanges]:
        """Open a transaction."""
        async with self._database.transaction() as connection:
            yield StoredChanges(connection, self._event)

    async def partner(self, partner_id: str) -> Partner | None:
        """Return a partner."""
        row = await self._database.fetchrow(QUERIES["partner"], partner_id)
        return None if row is None else _partner(row)

    async def partners(self, after: str, limit: int) -> list[Partner]:
        """Return partners in the order of their ids, after an id."""
        rows = await self._database.fetch(QUERIES["partners"], after, limit)
        return [_partner(row) for row in rows]

    async def api_keys(self, partner_id: str) -> list[ApiKey]:
        """Return a partner's API keys, newest first."""
        rows = await self._database.fetch(QUERIES["api_keys"], partner_id)
        return [_api_key(row) for row in rows]

    async def licences(self, partner_id: str) -> list[Licence]:
        """Return a partner's licences, newest first."""
        rows = await self._database.fetch(QUERIES["licences"], partner_id)
        return [_licence(row) for row in rows]


class StoredChanges:
    """One transaction on the directory."""

    def __init__(self, connection: Connection, event: Callable[[Changed], Message]) -> None:
        self._connection = connection
        self._event = event

    async def partner(self, partner_id: str) -> Partner | None:
        """Return a partner, locked."""
        await self._connection.execute(QUERIES["hold_id"], f"partner/{partner_id}")
        row = await self._connection.fetchrow(QUERIES["lock_partner"], partner_id)
        return None if row is None else _partner(row)

    async def put_partner(self, partner: Partner, action: str) -> None:
        """Add or replace a partner."""
        await self._connection.execute(
            QUERIES["put_partner"],
            partner.partner_id,
            partner.type.value,
            partner.organisation,
            partner.status.value,
            list(partner.certificates),
            partner.changed_at,
        )
        await self._tell(partner, action, "partner", partner.partner_id, status=partner.status)

    async def policy(self, policy_id: str) -> Policy | None:
        """Return a policy, locked."""
        await self._connection.execute(QUERIES["hold_id"], f"policy/{policy_id}")
        row = await self._connection.fetchrow(QUERIES["lock_policy"], policy_id)
        return None if row is None else _policy(row)

    async def put_policy(self, policy: Policy, action: str) -> None:
        """Add or replace a policy."""
        await self._connection.execute(
            QUERIES["put_policy"],
            policy.policy_id,
            policy.name,
            policy.document,
            policy.status.value,
            policy.valid_until,
        )
        await self._tell(policy, action, "policy", policy.policy_id, status=policy.status)

    async def api_key(self, key_id: str) -> ApiKey | None:
        """Return an API key, locked."""
        row = await self._connection.fetchrow(QUERIES["lock_api_key"], key_id)
        return None if row is None else _api_key(row)

    async def put_api_key(self, api_key: ApiKey, action: str) -> None:
        """Add or replace an API key.

        Raises:
            AlreadyExists: LABEL_TAKEN.
        """
        try:
            await self._connection.execute(
                QUERIES["put_api_key"],
                api_key.key_id,
                api_key.partner_id,
                api_key.policy_id,
                api_key.label,
                api_key.status.value,
                api_key.expires_at,
                api_key.hash.digest,
                api_key.hash.version,
            )
        except asyncpg.UniqueViolationError as error:
            text = "The partner has a key of this label."
            raise AlreadyExists("LABEL_TAKEN", text, field="label") from error
        await self._tell(api_key, action, "api_key", api_key.key_id, status=api_key.status)

    async def licence(self, licence_id: str) -> Licence | None:
        """Return a licence, locked."""
        row = await self._connection.fetchrow(QUERIES["lock_licence"], licence_id)
        return None if row is None else _licence(row)

    async def put_licence(self, licence: Licence, action: str) -> None:
        """Add or replace a licence."""
        await self._connection.execute(
            QUERIES["put_licence"],
            licence.licence_id,
            licence.partner_id,
            licence.status.value,
            licence.expires_at,
            licence.hash.digest,
            licence.hash.version,
        )
        await self._tell(licence, action, "licence", licence.licence_id, status=licence.status)

    async def authorities(self, domain: TrustDomain) -> list[bytes]:
        """Return the trusted authorities of a domain, DER."""
        rows = await self._connection.fetch(QUERIES["authorities"], domain.value)
        return [row["certificate"] for row in rows]

    async def add_authority(self, domain: TrustDomain, certificate: bytes) -> None:
        """Trust an authority; again is no change."""
        thumbprint = hashlib.sha256(certificate).digest()
        added = await self._connection.fetchval(
            QUERIES["add_authority"], domain.value, thumbprint, certificate
        )
        if added is not None:
            await self._tell((domain, certificate), "CA_ADDED", "authority", thumbprint.hex())

    async def _tell(
        self, changed: Changed, action: str, kind: str, key: str, *, status: Status | None = None
    ) -> None:
        await feed.publish(self._connection, self._event(changed))
        details = {} if status is None else {"status": status.name}
        await audit.record(
            self._connection, action, kind, key.encode(), audit.Outcome.SUCCEEDED, details=details
        )


def _partner(row: asyncpg.Record) -> Partner:
    return Partner(
        partner_id=row["partner_id"],
        type=PartnerType(row["type"]),
        organisation=row["organisation"],
        status=Status(row["status"]),
        changed_at=row["changed_at"],
        certificates=tuple(row["certificates"]),
    )


def _policy(row: asyncpg.Record) -> Policy:
    return Policy(
        row["policy_id"], row["name"], row["document"], Status(row["status"]), row["valid_until"]
    )


def _api_key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(
        key_id=row["key_id"],
        partner_id=row["partner_id"],
        policy_id=row["policy_id"],
        label=row["label"],
        status=Status(row["status"]),
        expires_at=row["expires_at"],
        hash=KeyHash(row["hash_version"], row["hash"]),
    )


def _licence(row: asyncpg.Record) -> Licence:
    return Licence(
        licence_id=row["licence_id"],
        partner_id=row["partner_id"],
        status=Status(row["status"]),
        expires_at=row["expires_at"],
        hash=KeyHash(row["hash_version"], row["hash"]),
    )
