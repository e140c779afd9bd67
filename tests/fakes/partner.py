"""The partner directory in memory, and key hashes without Vault."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.common.errors import AlreadyExists, Unavailable
from services.common.revocation import Name
from services.partner.domain.partner import (
    ApiKey,
    Authority,
    Held,
    KeyHash,
    Licence,
    Partner,
    Policy,
    RevocationSource,
    Revoked,
    SourceKind,
    Status,
    TrustDomain,
)
from services.partner.ports import Reissue, Source
from tests.fakes.certificates import Issued, crl, issue


@dataclass
class Tables:
    partners: dict[str, Partner] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    api_keys: dict[str, ApiKey] = field(default_factory=dict)
    licences: dict[str, Licence] = field(default_factory=dict)
    authorities: dict[tuple[TrustDomain, bytes], Authority] = field(default_factory=dict)
    revoked: set[tuple[bytes, bytes, Source]] = field(default_factory=set)
    due: set[tuple[TrustDomain, str]] = field(default_factory=set)
    beliefs: dict[bytes, datetime] = field(default_factory=dict)
    sources: dict[tuple[SourceKind, str, bytes, bytes], RevocationSource] = field(
        default_factory=dict
    )
    warnings: set[tuple[str, bytes, int]] = field(default_factory=set)
    actions: list[str] = field(default_factory=list)


class FakeChanges:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def partner(self, partner_id: str) -> Partner | None:
        return self._tables.partners.get(partner_id)

    async def put_partner(self, partner: Partner, action: str) -> None:
        self._tables.partners[partner.partner_id] = partner
        self._tables.actions.append(action)

    async def policy(self, policy_id: str) -> Policy | None:
        return self._tables.policies.get(policy_id)

    async def put_policy(self, policy: Policy, action: str) -> None:
        self._tables.policies[policy.policy_id] = policy
        self._tables.actions.append(action)

    async def api_key(self, key_id: str) -> ApiKey | None:
        return self._tables.api_keys.get(key_id)

    async def put_api_key(self, api_key: ApiKey, action: str) -> None:
        for other in self._tables.api_keys.values():
            same = (other.partner_id, other.label) == (api_key.partner_id, api_key.label)
            if same and other.key_id != api_key.key_id:
                raise AlreadyExists("LABEL_TAKEN", "The partner has a key of this label.")
        self._tables.api_keys[api_key.key_id] = api_key
        self._tables.actions.append(action)

    async def licence(self, licence_id: str) -> Licence | None:
        return self._tables.licences.get(licence_id)

    async def put_licence(self, licence: Licence, action: str) -> None:
        self._tables.licences[licence.licence_id] = licence
        self._tables.actions.append(action)

    async def trusted(self) -> Mapping[TrustDomain, Sequence[bytes]]:
        found: dict[TrustDomain, list[bytes]] = {}
        for one in self._tables.authorities.values():
            if one.status is Status.ACTIVE:
                found.setdefault(one.domain, []).append(one.certificate)
        return found

    async def renew_hash(self, old: bytes, new: KeyHash) -> bool:
        for key_id, api_key in self._tables.api_keys.items():
            if api_key.hash.digest == old and api_key.hash.version < new.version:
                self._tables.api_keys[key_id] = replace(api_key, hash=new)
                self._tables.actions.append("API_KEY_REHASHED")
                return True
        for licence_id, licence in self._tables.licences.items():
            if licence.hash.digest == old and licence.hash.version < new.version:
                self._tables.licences[licence_id] = replace(licence, hash=new)
                self._tables.actions.append("LICENCE_REHASHED")
                return True
        return False

    async def authority(self, domain: TrustDomain, thumbprint: bytes) -> Authority | None:
        return self._tables.authorities.get((domain, thumbprint))

    async def put_authority(self, authority: Authority, action: str) -> None:
        self._tables.authorities[authority.domain, authority.thumbprint] = authority
        self._tables.actions.append(action)

    async def revoked(self, names: Sequence[Name]) -> set[Name]:
        return {
            name for name in names if any((*name, each) in self._tables.revoked for each in Source)
        }

    async def revoke(self, revoked: Revoked, source: Source, action: str) -> None:
        names = [(revoked.issuer, serial) for serial in (*revoked.added, *revoked.removed)]
        before = await self.revoked(names)
        table = self._tables.revoked
        table |= {(revoked.issuer, serial, source) for serial in revoked.added}
        table -= {(revoked.issuer, serial, source) for serial in revoked.removed}
        if await self.revoked(names) != before:
            self._tables.actions.append(action)

    async def listed(self, issuer: bytes) -> frozenset[bytes]:
        return frozenset(
            serial
            for who, serial, source in self._tables.revoked
            if (who, source) == (issuer, Source.LIST)
        )

    async def newest_list(self, issuer: bytes) -> datetime | None:
        lists = [
            one.this_update
            for one in self._tables.sources.values()
            if one.issuer == issuer and one.kind is SourceKind.LIST and one.this_update
        ]
        return max(lists, default=None)

    async def believed(self, issuer: bytes) -> datetime | None:
        return self._tables.beliefs.get(issuer)

    async def believe(self, issuer: bytes, until: datetime | None) -> None:
        if self._tables.beliefs.get(issuer) == until:
            return
        if until is None:
            self._tables.beliefs.pop(issuer)
        else:
            self._tables.beliefs[issuer] = until
        self._tables.actions.append("AUTHORITY_BELIEVED")

    async def source(
        self, kind: SourceKind, url: str, issuer: bytes, serial: bytes
    ) -> RevocationSource | None:
        return self._tables.sources.get((kind, url, issuer, serial))

    async def put_source(self, source: RevocationSource) -> None:
        key = (source.kind, source.url, source.issuer, source.serial)
        self._tables.sources[key] = source

    async def warned(self, partner_id: str, thumbprint: bytes, days: int) -> bool:
        if (partner_id, thumbprint, days) in self._tables.warnings:
            return False
        self._tables.warnings.add((partner_id, thumbprint, days))
        return True

    async def revoke_ours_later(self, domain: TrustDomain, serial: str) -> None:
        self._tables.due.add((domain, serial))


class FakeDirectory:
    """A change that raises leaves nothing behind."""

    def __init__(self) -> None:
        self.tables = Tables()

    @asynccontextmanager
    async def change(self) -> AsyncIterator[FakeChanges]:
        tables = copy.deepcopy(self.tables)
        yield FakeChanges(tables)
        self.tables = tables

    async def partner(self, partner_id: str) -> Partner | None:
        return self.tables.partners.get(partner_id)

    async def partners(self, after: str, limit: int) -> list[Partner]:
        ids = sorted(name for name in self.tables.partners if name > after)
        return [self.tables.partners[name] for name in ids[:limit]]

    async def authorities(
        self, domain: TrustDomain | None, after: str, limit: int
    ) -> list[tuple[str, Authority]]:
        number, _, thumbprint = after.partition(".")
        last = (int(number or 0), bytes.fromhex(thumbprint))
        places = sorted(
            (where.value, thumbprint)
            for where, thumbprint in self.tables.authorities
            if (domain is None or where is domain) and (where.value, thumbprint) > last
        )
        return [
            (f"{place}.{key.hex()}", self.tables.authorities[TrustDomain(place), key])
            for place, key in places[:limit]
        ]

    async def sources(self, limit: int) -> list[RevocationSource]:
        found = self.tables.sources.values()
        return sorted(found, key=lambda one: -one.failures)[:limit]

    async def sources_due(self, now: datetime, limit: int) -> list[RevocationSource]:
        found = self.tables.sources.values()
        return [one for one in found if one.next_check_at and one.next_check_at <= now][:limit]

    async def expiring(
        self, after: datetime, until: datetime, limit: int
    ) -> list[tuple[Partner, Held]]:
        found = [
            (partner, held)
            for partner in self.tables.partners.values()
            if partner.status is Status.ACTIVE
            for held in partner.usable
            if after < held.usable_until <= until
        ]
        return sorted(found, key=lambda one: one[1].usable_until)[:limit]

    async def revocations_due(self, limit: int) -> list[tuple[TrustDomain, str]]:
        return sorted(self.tables.due, key=lambda one: one[1])[:limit]

    async def revocation_done(self, domain: TrustDomain, serial: str) -> None:
        self.tables.due.discard((domain, serial))

    async def api_keys(self, partner_id: str) -> list[ApiKey]:
        found = [key for key in self.tables.api_keys.values() if key.partner_id == partner_id]
        return found[::-1]

    async def licences(self, partner_id: str) -> list[Licence]:
        found = [one for one in self.tables.licences.values() if one.partner_id == partner_id]
        return found[::-1]


class FakeKeyHashes:
    async def of(self, secret: str) -> KeyHash:
        return KeyHash(1, hashlib.sha256(b"pepper" + secret.encode()).digest())


class FakeAuthorities:
    """One root of each domain; `away` makes every call fail."""

    def __init__(self) -> None:
        self.roots: dict[TrustDomain, Issued] = {
            domain: issue(f"ours {domain.name}", ca=True, valid_days=3650)
            for domain in TrustDomain
            if domain is not TrustDomain.TRUST_CA
        }
        self.listed: list[tuple[TrustDomain, str]] = []
        self.away = False

    def _check(self) -> None:
        if self.away:
            raise Unavailable("VAULT_AWAY", "Away.")

    async def reissue(
        self, domain: TrustDomain, csr_pem: bytes, common_name: str, ttl_s: int
    ) -> Reissue:
        self._check()
        root = self.roots[domain]
        request = x509.load_pem_x509_csr(csr_pem)
        made: Issued = issue(
            common_name,
            issuer=root,
            public_key=request.public_key(),
            not_before=datetime.now(UTC),
            valid_days=ttl_s / 86400,
        )
        serial = f"{made.certificate.serial_number:x}"
        return Reissue((made.der, root.der), serial, made.certificate.not_valid_after_utc)

    async def chain(self, domain: TrustDomain) -> list[bytes]:
        self._check()
        return [self.roots[domain].der]

    async def revoke(self, domain: TrustDomain, serial: str) -> None:
        self._check()
        self.listed.append((domain, serial))

    async def crl(self, domain: TrustDomain) -> bytes:
        self._check()
        serials = [int(serial, 16) for where, serial in self.listed if where is domain]
        return crl(self.roots[domain], serials).public_bytes(Encoding.DER)
