"""The directory: what changes, its feed event and its audit record commit together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
from cryptography import x509
from google.protobuf.message import Message

from services.common import audit, feed
from services.common.errors import AlreadyExists
from services.common.postgres import Connection, Database
from services.partner.domain.partner import (
    ApiKey,
    Authority,
    Held,
    KeyHash,
    Kind,
    Licence,
    Partner,
    PartnerType,
    Policy,
    RevocationSource,
    Revoked,
    Status,
    TrustDomain,
)
from services.partner.store.revocations import QUERIES, RevocationChanges, source_of

Changed = Partner | Policy | ApiKey | Licence | Authority | Revoked


class StoredDirectory:
    """The partner service's tables. `events` makes the feed events of a change."""

    def __init__(self, database: Database, events: Callable[[Changed], Sequence[Message]]) -> None:
        self._database = database
        self._events = events

    @asynccontextmanager
    async def change(self) -> AsyncIterator[StoredChanges]:
        """Open a transaction."""
        async with self._database.transaction() as connection:
            yield StoredChanges(connection, self._events)

    async def partner(self, partner_id: str) -> Partner | None:
        """Return a partner."""
        rows = await self._database.fetch(QUERIES["partner"], partner_id)
        return next(iter(await self._with_certificates(rows)), None)

    async def partners(self, after: str, limit: int) -> list[Partner]:
        """Return partners in the order of their ids, after an id."""
        rows = await self._database.fetch(QUERIES["partners"], after, limit)
        return await self._with_certificates(rows)

    async def _with_certificates(self, rows: Sequence[asyncpg.Record]) -> list[Partner]:
        ids = [row["partner_id"] for row in rows]
        held = await self._database.fetch(QUERIES["certificates"], ids)
        return [_partner(row, held) for row in rows]

    async def authorities(
        self, domain: TrustDomain | None, after: str, limit: int
    ) -> list[tuple[str, Authority]]:
        """Return authorities, each with its place for `after`; None: of all domains."""
        number, _, thumbprint = after.partition(".")
        rows = await self._database.fetch(
            QUERIES["all_authorities"],
            domain.value if domain else 0,
            int(number or 0),
            bytes.fromhex(thumbprint),
            limit,
        )
        return [(f"{row['domain']}.{row['thumbprint'].hex()}", _authority(row)) for row in rows]

    async def sources(self, limit: int) -> list[RevocationSource]:
        """Return where revocations are learnt from, those that fail first."""
        rows = await self._database.fetch(QUERIES["revocation_sources"], limit)
        return [source_of(row) for row in rows]

    async def sources_due(self, now: datetime, limit: int) -> list[RevocationSource]:
        """Return what is to be asked by now, the longest due first."""
        rows = await self._database.fetch(QUERIES["revocation_sources_due"], now, limit)
        return [source_of(row) for row in rows]

    async def expiring(
        self, after: datetime, until: datetime, limit: int
    ) -> list[tuple[Partner, Held]]:
        """Return certificates in use that end within a time, soonest first."""
        rows = await self._database.fetch(QUERIES["expiring"], after, until, limit)
        partners = await self._database.fetch(
            QUERIES["partners_of"], list({row["partner_id"] for row in rows})
        )
        by_id = {row["partner_id"]: row for row in partners}
        return [(_partner(by_id[row["partner_id"]], rows), _held(row)) for row in rows]

    async def revocations_due(self, limit: int) -> list[tuple[TrustDomain, str]]:
        """Return serials that our authorities are to revoke."""
        rows = await self._database.fetch(QUERIES["revocations_due"], limit)
        return [(TrustDomain[row["mount"]], row["serial"]) for row in rows]

    async def revocation_done(self, domain: TrustDomain, serial: str) -> None:
        """Forget what revocations_due named."""
        await self._database.execute(QUERIES["end_revocation_due"], domain.name, serial)

    async def api_keys(self, partner_id: str) -> list[ApiKey]:
        """Return a partner's API keys, newest first."""
        rows = await self._database.fetch(QUERIES["api_keys"], partner_id)
        return [_api_key(row) for row in rows]

    async def licences(self, partner_id: str) -> list[Licence]:
        """Return a partner's licences, newest first."""
        rows = await self._database.fetch(QUERIES["licences"], partner_id)
        return [_licence(row) for row in rows]


class StoredChanges(RevocationChanges):
    """One transaction on the directory."""

    def __init__(
        self, connection: Connection, events: Callable[[Changed], Sequence[Message]]
    ) -> None:
        super().__init__(connection)
        self._events = events

    async def partner(self, partner_id: str) -> Partner | None:
        """Return a partner, locked."""
        await self._connection.execute(QUERIES["hold_id"], f"partner/{partner_id}")
        row = await self._connection.fetchrow(QUERIES["lock_partner"], partner_id)
        if row is None:
            return None
        return _partner(row, await self._connection.fetch(QUERIES["certificates"], [partner_id]))

    async def put_partner(self, partner: Partner, action: str) -> None:
        """Add or replace a partner."""
        await self._connection.execute(
            QUERIES["put_partner"],
            partner.partner_id,
            partner.type.value,
            partner.organisation,
            partner.status.value,
            partner.contact_email,
            partner.changed_at,
        )
        for held in partner.held:
            await self._connection.execute(
                QUERIES["put_certificate"],
                partner.partner_id,
                held.thumbprint,
                held.kind.value,
                held.certificate,
                list(held.chain),
                held.original,
                held.added_at,
                held.usable_until,
                held.withdrawn_at,
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

    async def trusted(self) -> Mapping[TrustDomain, Sequence[bytes]]:
        """Return the authorities that are trusted, DER, by domain."""
        found: dict[TrustDomain, list[bytes]] = defaultdict(list)
        for row in await self._connection.fetch(QUERIES["authorities"]):
            found[TrustDomain(row["domain"])].append(row["certificate"])
        return found

    async def renew_hash(self, old: bytes, new: KeyHash) -> bool:
        """Keep the API key or licence of a hash under a newer one; False where there is none."""
        row = await self._connection.fetchrow(
            QUERIES["renew_api_key_hash"], old, new.digest, new.version
        )
        if row is not None:
            await self._tell(_api_key(row), "API_KEY_REHASHED", "api_key", row["key_id"])
            return True
        row = await self._connection.fetchrow(
            QUERIES["renew_licence_hash"], old, new.digest, new.version
        )
        if row is not None:
            await self._tell(_licence(row), "LICENCE_REHASHED", "licence", row["licence_id"])
        return row is not None

    async def authority(self, domain: TrustDomain, thumbprint: bytes) -> Authority | None:
        """Return an authority, locked."""
        row = await self._connection.fetchrow(QUERIES["lock_authority"], domain.value, thumbprint)
        return None if row is None else _authority(row)

    async def put_authority(self, authority: Authority, action: str) -> None:
        """Add an authority, or switch it on or off."""
        await self._connection.execute(
            QUERIES["put_authority"],
            authority.domain.value,
            authority.thumbprint,
            authority.certificate,
            authority.status is Status.ACTIVE,
            authority.own,
        )
        await self._tell(authority, action, "authority", authority.thumbprint.hex())

    async def warned(self, partner_id: str, thumbprint: bytes, days: int) -> bool:
        """Note a warning; tell whether it is the first of its kind."""
        first = await self._connection.fetchval(
            QUERIES["add_warning"], partner_id, thumbprint, days
        )
        if first is None:
            return False
        await audit.record(
            self._connection,
            "CERTIFICATE_EXPIRING",
            "partner",
            partner_id.encode(),
            audit.Outcome.SUCCEEDED,
            details={"thumbprint": thumbprint.hex(), "days": str(days)},
        )
        return True

    async def revoke_ours_later(self, domain: TrustDomain, serial: str) -> None:
        """Remember that the authority of a domain is to revoke a certificate of its own."""
        await self._connection.execute(QUERIES["add_revocation_due"], domain.name, serial)

    async def _tell(
        self, changed: Changed, action: str, kind: str, key: str, *, status: Status | None = None
    ) -> None:
        for event in self._events(changed):
            await feed.publish(self._connection, event)
        details = {} if status is None else {"status": status.name}
        await audit.record(
            self._connection, action, kind, key.encode(), audit.Outcome.SUCCEEDED, details=details
        )


def _partner(row: asyncpg.Record, certificates: Sequence[asyncpg.Record]) -> Partner:
    return Partner(
        partner_id=row["partner_id"],
        type=PartnerType(row["type"]),
        organisation=row["organisation"],
        status=Status(row["status"]),
        changed_at=row["changed_at"],
        contact_email=row["contact_email"],
        held=tuple(_held(one) for one in certificates if one["partner_id"] == row["partner_id"]),
    )


def _held(row: asyncpg.Record) -> Held:
    certificate, end = row["certificate"], row["usable_until"]
    return Held(
        certificate=certificate,
        kind=Kind(row["kind"]),
        added_at=row["added_at"],
        usable_until=end or x509.load_der_x509_certificate(certificate).not_valid_after_utc,
        chain=tuple(row["chain"]),
        original=row["original"],
        withdrawn_at=row["withdrawn_at"],
    )


def _authority(row: asyncpg.Record) -> Authority:
    return Authority(
        domain=TrustDomain(row["domain"]),
        certificate=row["certificate"],
        status=Status.ACTIVE if row["active"] else Status.INACTIVE,
        own=row["own"],
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
