"""The partner directory in memory, and key hashes without Vault."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.common.errors import AlreadyExists
from services.partner.domain.partner import (
    ApiKey,
    KeyHash,
    Licence,
    Partner,
    Policy,
    TrustDomain,
)


@dataclass
class Tables:
    partners: dict[str, Partner] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    api_keys: dict[str, ApiKey] = field(default_factory=dict)
    licences: dict[str, Licence] = field(default_factory=dict)
    authorities: list[tuple[TrustDomain, bytes]] = field(default_factory=list)
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

    async def authorities(self, domain: TrustDomain) -> list[bytes]:
        return [der for where, der in self._tables.authorities if where is domain]

    async def add_authority(self, domain: TrustDomain, certificate: bytes) -> None:
        if (domain, certificate) not in self._tables.authorities:
            self._tables.authorities.append((domain, certificate))
            self._tables.actions.append("CA_ADDED")


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

    async def api_keys(self, partner_id: str) -> list[ApiKey]:
        found = [key for key in self.tables.api_keys.values() if key.partner_id == partner_id]
        return found[::-1]

    async def licences(self, partner_id: str) -> list[Licence]:
        found = [one for one in self.tables.licences.values() if one.partner_id == partner_id]
        return found[::-1]


class FakeKeyHashes:
    async def of(self, secret: str) -> KeyHash:
        return KeyHash(1, hashlib.sha256(b"pepper" + secret.encode()).digest())
